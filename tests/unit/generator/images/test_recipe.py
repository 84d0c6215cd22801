from __future__ import annotations

from pathlib import Path

import pytest

from generator.images.recipe import (
    PROGRAMS,
    Program,
    build_command,
    push_command,
    recipe,
)

ROOT = Path(__file__).parents[4]
APP = recipe(
    "app", "r.example/flowrex-app:1.2.3", "1.2.3", "abc", base="debian:12", more={"PYTHON": "cp311"}
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_build_names_the_image_its_base_and_where_its_identity_goes(program: Program) -> None:
    command = build_command(program, f"/usr/bin/{program}", APP, ["--pull"], Path("/tmp/id"))
    assert command[:2] == [f"/usr/bin/{program}", "build"]
    assert command[-1] == "."
    for words in (
        ["--file", "images/app.Dockerfile"],
        ["--tag", "r.example/flowrex-app:1.2.3"],
        ["--iidfile", "/tmp/id"],
    ):
        place = command.index(words[0])
        assert command[place : place + 2] == words
    assert {"--pull", "--build-arg=BASE=debian:12", "--build-arg=PYTHON=cp311"} <= set(command)
    assert "--label=org.opencontainers.image.version=1.2.3" in command
    assert "--label=org.opencontainers.image.revision=abc" in command


def test_only_podman_is_told_the_format_that_has_a_health_check() -> None:
    assert "docker" in build_command("podman", "podman", APP, [], Path("id"))
    assert "--format" not in build_command("docker", "docker", APP, [], Path("id"))


def test_without_a_base_the_dockerfile_decides() -> None:
    plain = recipe("nginx", "r/flowrex-nginx:1.2.3", "1.2.3", None, base=None)
    assert not [
        word for word in build_command("docker", "d", plain, [], Path("i")) if "BASE" in word
    ]
    assert plain.labels["org.opencontainers.image.revision"] == "unknown"


def test_podman_writes_down_the_digest_and_docker_is_asked_afterwards() -> None:
    assert push_command("podman", "podman", "r/x:1", Path("d")) == [
        "podman", "push", "--digestfile", "d", "r/x:1",
    ]  # fmt: skip
    assert push_command("docker", "docker", "r/x:1", Path("d")) == ["docker", "push", "r/x:1"]


@pytest.mark.parametrize("path", sorted((ROOT / "images").glob("*.Dockerfile")), ids=str)
def test_each_dockerfile_promises_the_same(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert sum(line.startswith("FROM ") for line in lines) > 1
    assert any(line.startswith("ARG BASE=debian:bookworm-") for line in lines)
    assert "USER 1000:1000" in lines
    assert 'ENTRYPOINT ["/usr/bin/tini", "--"]' in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)


def test_the_builder_is_sent_nothing_but_what_the_images_are_made_from() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert lines[0] == "*"
    assert all(line.startswith(("!images", "!dist/flowrex-")) for line in lines[1:])
