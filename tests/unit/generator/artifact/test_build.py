from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, ServerUnreachable, UsageError
from generator.artifact import Artifact, build
from generator.artifact.packages import python_tag

TAG = sys.implementation.cache_tag


class Pip:
    """Installs what pip would, and leaves the traces that pip leaves."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, lock: Path, target: Path) -> None:
        self.calls += 1
        info = target / "fake-1.0.dist-info"
        info.mkdir()
        (target / "fake.py").write_text("NAME = 'fake'\n")
        (info / "METADATA").write_text("Name: fake\n")
        (info / "RECORD").write_text(f"installed {self.calls} into {target}\n")
        (info / "INSTALLER").write_text("pip\n")
        (info / "direct_url.json").write_text(str(lock))
        (target / "bin").mkdir()
        (target / "bin" / "fake").write_text(f"#!{target}/python\n")


def project(folder: Path) -> Path:
    for name in ("app", "flowrex", "requirements", "generator"):
        (folder / name).mkdir(parents=True)
    (folder / "app" / "main.py").write_text("")
    (folder / "flowrex" / "errors.py").write_text("")
    (folder / "generator" / "plan.py").write_text("")
    (folder / "requirements" / "app.lock").write_text("fake==1.0 --hash=sha256:00\n")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


def make(root: Path, cache: Path, version: str = "1.2.3", pip: Pip | None = None) -> Artifact:
    return build(root, version, cache=cache, environ={}, install=pip or Pip())


def names(artifact: Artifact) -> set[str]:
    with tarfile.open(artifact.path) as opened:
        return set(opened.getnames())


def test_it_holds_the_application_and_its_packages_and_nothing_else(
    root: Path, tmp_path: Path
) -> None:
    assert names(make(root, tmp_path / "cache")) == {
        "app",
        "app/__pycache__",
        f"app/__pycache__/main.{TAG}.pyc",
        "app/main.py",
        "flowrex",
        "flowrex/__pycache__",
        f"flowrex/__pycache__/errors.{TAG}.pyc",
        "flowrex/errors.py",
        "site-packages",
        "site-packages/__pycache__",
        f"site-packages/__pycache__/fake.{TAG}.pyc",
        "site-packages/fake.py",
        "site-packages/fake-1.0.dist-info",
        "site-packages/fake-1.0.dist-info/METADATA",
    }


def test_two_checkouts_with_caches_of_their_own_give_the_same_bytes(tmp_path: Path) -> None:
    first = make(project(tmp_path / "one"), tmp_path / "cache-one")
    second = make(project(tmp_path / "two" / "deeper"), tmp_path / "cache-two")
    assert first.sha256 == second.sha256
    assert first.path.read_bytes() == second.path.read_bytes()


def test_the_version_names_the_file_and_does_not_change_the_bytes(
    root: Path, tmp_path: Path
) -> None:
    first = make(root, tmp_path / "cache", "1.2.3")
    second = make(root, tmp_path / "cache", "1.2.4-rc.1")
    assert second.path.name == "flowrex-app-1.2.4-rc.1.tar.gz"
    assert first.sha256 == second.sha256
    assert first.key != second.key


def test_the_manifest_says_what_was_built(root: Path, tmp_path: Path) -> None:
    artifact = make(root, tmp_path / "cache")
    assert json.loads((root / "dist" / "flowrex-app-1.2.3.json").read_text()) == {
        "version": "1.2.3",
        "sha256": artifact.sha256,
        "size": artifact.path.stat().st_size,
        "python": python_tag(),
        "revision": None,
    }


def test_the_object_is_named_by_version_and_content(root: Path, tmp_path: Path) -> None:
    artifact = make(root, tmp_path / "cache")
    assert artifact.key == f"app/1.2.3/{artifact.sha256}/flowrex-app-1.2.3.tar.gz"


def test_a_lock_is_installed_once_until_it_changes(root: Path, tmp_path: Path) -> None:
    pip = Pip()
    make(root, tmp_path / "cache", pip=pip)
    make(root, tmp_path / "cache", pip=pip)
    assert pip.calls == 1
    (root / "requirements" / "app.lock").write_text("fake==1.1 --hash=sha256:00\n")
    make(root, tmp_path / "cache", pip=pip)
    assert pip.calls == 2


def test_an_installation_that_failed_is_not_kept(root: Path, tmp_path: Path) -> None:
    def broken(lock: Path, target: Path) -> None:
        (target / "half.py").write_text("")
        raise ServerUnreachable("no network")

    with pytest.raises(ServerUnreachable):
        build(root, "1.2.3", cache=tmp_path / "cache", environ={}, install=broken)
    assert list((tmp_path / "cache").iterdir()) == []
    assert "site-packages/half.py" not in names(make(root, tmp_path / "cache"))


@pytest.mark.parametrize(
    "version", ["", "1.2", "v1.2.3", "1.2.3/../x", "1.2.3 ", "latest", "1.2.3\n"]
)
def test_what_is_no_version_is_refused(root: Path, tmp_path: Path, version: str) -> None:
    with pytest.raises(UsageError, match="is no version"):
        make(root, tmp_path / "cache", version)


def test_source_date_epoch_sets_the_files_time(root: Path, tmp_path: Path) -> None:
    environ = {"SOURCE_DATE_EPOCH": "1700000000"}
    artifact = build(root, "1.2.3", cache=tmp_path / "cache", environ=environ, install=Pip())
    with tarfile.open(artifact.path) as opened:
        assert {member.mtime for member in opened.getmembers()} == {1700000000}


def test_a_wrong_source_date_epoch_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SOURCE_DATE_EPOCH is 'today'"):
        build(
            root,
            "1.2.3",
            cache=tmp_path / "cache",
            environ={"SOURCE_DATE_EPOCH": "today"},
            install=Pip(),
        )


def test_a_missing_lock_is_named(root: Path, tmp_path: Path) -> None:
    (root / "requirements" / "app.lock").unlink()
    with pytest.raises(ConfigurationError, match=r"app\.lock: can't read the lock"):
        make(root, tmp_path / "cache")


def test_missing_sources_are_named(root: Path, tmp_path: Path) -> None:
    (root / "app" / "main.py").unlink()
    (root / "app").rmdir()
    with pytest.raises(ConfigurationError, match="there is no folder app"):
        make(root, tmp_path / "cache")


def test_a_place_that_can_not_be_written_is_a_sentence(root: Path, tmp_path: Path) -> None:
    (root / "dist").write_text("a file where the folder belongs")
    with pytest.raises(ConfigurationError, match="the artifact can't be written: File exists"):
        make(root, tmp_path / "cache")
