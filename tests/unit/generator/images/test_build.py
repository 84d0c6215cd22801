from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.artifact import Artifact
from generator.environment import load
from generator.environment.release import Release
from generator.images import build, manifest
from generator.images.builder import Builder
from generator.images.recipe import Program

ROOT = Path(__file__).parents[4]
REGISTRY = "registry.flowrex.app"


class Fake:
    """Does what docker or podman would, with one image after the other."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.commands: list[Sequence[str]] = []
        self.inspected = '[{"Size": 7, "RepoDigests": []}]'

    def builder(self) -> Builder:
        return Builder(self.program, self.program, self)

    def __call__(self, command: Sequence[str], folder: Path, tell: Callable[[str], None]) -> int:
        self.commands.append(command)
        if command[1] == "build":
            identity = Path(command[command.index("--iidfile") + 1])
            identity.write_text("12ab" if self.program == "podman" else "sha256:12ab")
            tell("STEP 1")
        if "--digestfile" in command:
            Path(command[command.index("--digestfile") + 1]).write_text("sha256:77")
        if command[1] == "image":
            tell(self.inspected)
        return 0


@pytest.fixture
def release() -> Release:
    return dataclasses.replace(load(ROOT, "prod").release, version="1.2.3", digests={})


def artifacts(root: Path) -> list[Artifact]:
    def one(name: str, *, python: str | None, node: str | None) -> Artifact:
        path = root / "dist" / f"flowrex-{name}-1.2.3.tar.gz"
        return Artifact(name, "1.2.3", "0" * 64, 1, python, node, None, path, path)

    return [
        one("app", python="cp311-linux", node=None),
        one("frontend", python=None, node="20.1.0"),
    ]


def told(image: str, line: str) -> None:
    assert image in {"app", "frontend", "nginx"}


@pytest.mark.parametrize("program", ["docker", "podman"])
def test_each_image_is_built_and_written_down(
    program: Program, release: Release, tmp_path: Path
) -> None:
    fake = Fake(program)
    built = build.build(
        tmp_path,
        release,
        artifacts(tmp_path),
        fake.builder(),
        nginx="0.3.0",
        base="debian:12",
        tell=told,
    )
    assert json.loads(manifest.file(tmp_path, "1.2.3").read_text()) == built.as_document()
    assert list(built.images) == ["app", "frontend", "nginx"]
    assert built.images["app"].reference == f"{REGISTRY}/flowrex-app:1.2.3"
    assert built.images["nginx"].reference == f"{REGISTRY}/flowrex-nginx:0.3.0", "no part of it"
    assert {one.id for one in built.images.values()} == {"sha256:12ab"}
    assert {one.size for one in built.images.values()} == {7}
    first = next(command for command in fake.commands if command[1] == "build")
    assert "--build-arg=ARTIFACT=dist/flowrex-app-1.2.3.tar.gz" in first
    assert manifest.digests(tmp_path, "1.2.3", REGISTRY) == {}, "nothing was pushed"


def pushed(fake: Fake, release: Release, root: Path) -> None:
    built = build.build(root, release, artifacts(root), fake.builder(), nginx="0.3.0", tell=told)
    build.push(root, built, fake.builder(), tell=told)


def test_what_podman_pushed_has_its_digest(release: Release, tmp_path: Path) -> None:
    pushed(Fake("podman"), release, tmp_path)
    digests = manifest.digests(tmp_path, "1.2.3", REGISTRY)
    assert digests == dict.fromkeys(("app", "frontend", "nginx"), "sha256:77")


def test_docker_is_asked_for_the_digest_of_this_registry(release: Release, tmp_path: Path) -> None:
    fake = Fake("docker")
    names = [f"{REGISTRY}/flowrex-{name}@sha256:{name}" for name in ("app", "frontend", "nginx")]
    fake.inspected = json.dumps([{"RepoDigests": ["other/flowrex-app@sha256:no", *names]}])
    pushed(fake, release, tmp_path)
    digests = manifest.digests(tmp_path, "1.2.3", REGISTRY)
    assert digests == {name: f"sha256:{name}" for name in ("app", "frontend", "nginx")}


def test_a_digest_that_nobody_knows_is_an_error(release: Release, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="its digest is not known"):
        pushed(Fake("docker"), release, tmp_path)


def test_what_was_pushed_elsewhere_is_no_digest(release: Release, tmp_path: Path) -> None:
    pushed(Fake("podman"), release, tmp_path)
    assert manifest.digests(tmp_path, "1.2.3", "registry.example") == {}
    assert manifest.digests(tmp_path, "1.2.4", REGISTRY) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"registry": "registry.flowrex.app"}'])
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, text: str) -> None:
    path = manifest.file(tmp_path, "1.2.3")
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        manifest.digests(tmp_path, "1.2.3", REGISTRY)
