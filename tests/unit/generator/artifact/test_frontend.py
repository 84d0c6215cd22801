"""The frontend's artifact: built once for what it is made from, the same bytes each time."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, ServerUnreachable, UsageError
from generator.artifact import frontend
from generator.artifact.made import Artifact
from generator.artifact.node import Node


class Npm:
    """Does what npm would, and remembers what it was asked."""

    def __init__(self, version: str = "v20.1.0") -> None:
        self.version = version
        self.asked: list[str] = []

    def __call__(self, arguments: Sequence[str], folder: Path) -> None:
        self.asked.append(arguments[0])
        if arguments[0] == "ci":
            assert (folder / "package-lock.json").is_file()
            (folder / "node_modules" / ".bin").mkdir(parents=True)
            (folder / "node_modules" / "next.js").write_text("next")
            (folder / "node_modules" / ".bin" / "next").symlink_to("../next.js")
            return
        assert arguments == ("run", "build")
        assert (folder / "node_modules" / ".bin" / "next").read_text() == "next"
        output = folder / ".next" / "standalone"
        (output / "server").mkdir(parents=True)
        (output / ".next").mkdir()
        (output / ".next" / "BUILD_ID").write_text("id")
        (output / "server" / "main.js").write_text((folder / "app" / "page.tsx").read_text())

    def find(self, environ: object) -> Node:
        return Node(self.version, self)


def project(folder: Path) -> Path:
    (folder / "frontend" / "app").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", ".npmrc", "app/page.tsx"):
        (folder / "frontend" / name).write_text(name)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def make(root: Path, cache: Path, npm: Npm, version: str = "1.2.3") -> Artifact:
    return frontend.build(root, version, cache=cache, environ={}, find=npm.find)


def test_it_holds_what_runs_and_nothing_else(root: Path, cache: Path) -> None:
    with tarfile.open(make(root, cache, Npm()).path) as opened:
        names = opened.getnames()
    assert names == [".next", "server", ".next/BUILD_ID", "server/main.js"]


def test_the_same_sources_are_built_once_for_every_version(root: Path, cache: Path) -> None:
    npm = Npm()
    first, second = make(root, cache, npm), make(root, cache, npm, "1.2.4")
    assert npm.asked == ["ci", "run"]
    assert first.sha256 == second.sha256
    assert second.path.name == "flowrex-frontend-1.2.4.tar.gz"
    assert second.key == f"frontend/1.2.4/{first.sha256}/flowrex-frontend-1.2.4.tar.gz"


def test_other_sources_are_built_again_with_the_same_packages(root: Path, cache: Path) -> None:
    npm = Npm()
    first = make(root, cache, npm)
    (root / "frontend" / "app" / "page.tsx").write_text("another page")
    assert make(root, cache, npm).sha256 != first.sha256
    assert npm.asked == ["ci", "run", "run"]


def test_another_lock_is_installed_and_built(root: Path, cache: Path) -> None:
    npm = Npm()
    make(root, cache, npm)
    (root / "frontend" / "package-lock.json").write_text("another lock")
    make(root, cache, npm)
    assert npm.asked == ["ci", "run", "ci", "run"]


def test_another_node_builds_anew(root: Path, cache: Path) -> None:
    older, newer = Npm("v18.20.4"), Npm("v20.1.0")
    make(root, cache, older)
    make(root, cache, newer)
    assert newer.asked == ["ci", "run"]


@pytest.mark.parametrize(
    "made", ["node_modules/x/y.js", ".next/cache/z", "tests/a.test.ts", "tsconfig.tsbuildinfo"]
)
def test_what_a_build_or_a_test_leaves_is_no_source(root: Path, cache: Path, made: str) -> None:
    npm = Npm()
    make(root, cache, npm)
    path = root / "frontend" / made
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("made")
    make(root, cache, npm)
    assert npm.asked == ["ci", "run"]


def test_two_checkouts_with_caches_of_their_own_give_the_same_bytes(tmp_path: Path) -> None:
    first = make(project(tmp_path / "one"), tmp_path / "cache-one", Npm())
    second = make(project(tmp_path / "two" / "deeper"), tmp_path / "cache-two", Npm())
    assert first.path.read_bytes() == second.path.read_bytes()


def test_the_manifest_says_what_was_built_and_with_what(root: Path, cache: Path) -> None:
    artifact = make(root, cache, Npm())
    assert json.loads((root / "dist" / "flowrex-frontend-1.2.3.json").read_text()) == {
        "version": "1.2.3",
        "sha256": artifact.sha256,
        "size": artifact.path.stat().st_size,
        "node": "v20.1.0",
        "revision": None,
    }


def test_what_takes_long_is_told(root: Path, cache: Path) -> None:
    told: list[str] = []
    npm = Npm()
    for _ in range(2):
        frontend.build(root, "1.2.3", cache=cache, environ={}, find=npm.find, tell=told.append)
    assert [text.split()[0] for text in told] == ["fetching", "compiling"]


def test_a_build_that_failed_is_not_kept(root: Path, cache: Path) -> None:
    class Broken(Npm):
        def __call__(self, arguments: Sequence[str], folder: Path) -> None:
            (folder / "node_modules").mkdir(exist_ok=True)
            raise ServerUnreachable("no network")

    with pytest.raises(ServerUnreachable):
        make(root, cache, Broken())
    assert list(cache.iterdir()) == []
    assert make(root, cache, Npm()).size


def test_a_build_that_leaves_nothing_is_a_sentence(root: Path, cache: Path) -> None:
    class Lazy(Npm):
        def __call__(self, arguments: Sequence[str], folder: Path) -> None:
            (folder / "node_modules").mkdir(exist_ok=True)

    with pytest.raises(ConfigurationError, match=r"the build left no \.next/standalone"):
        make(root, cache, Lazy())


def test_what_is_no_version_is_refused(root: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="is no version"):
        make(root, cache, Npm(), "newest")


def test_a_missing_lock_is_named(root: Path, cache: Path) -> None:
    (root / "frontend" / "package-lock.json").unlink()
    with pytest.raises(ConfigurationError, match=r"there is no frontend/package-lock\.json"):
        make(root, cache, Npm())


def test_a_cache_that_can_not_be_written_is_a_sentence(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="can't build in"):
        make(root, tmp_path / "file" / "cache", Npm())
