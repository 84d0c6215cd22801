from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, FlowrexError, PermissionRefused, ServerUnreachable
from generator.images import builder
from generator.images.builder import Builder, failure


def program(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def test_the_one_that_is_there_is_taken(tmp_path: Path) -> None:
    program(tmp_path, "podman")
    assert builder.find(None, {"PATH": str(tmp_path)}).program == "podman"
    program(tmp_path, "docker")
    assert builder.find(None, {"PATH": str(tmp_path)}).program == "docker"
    assert builder.find("podman", {"PATH": str(tmp_path)}).program == "podman"


def test_without_one_it_says_which_to_install(tmp_path: Path) -> None:
    program(tmp_path, "podman")
    with pytest.raises(ConfigurationError, match="no docker on PATH"):
        builder.find("docker", {"PATH": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="docker or podman") as caught:
        builder.find(None, {"PATH": str(tmp_path / "none")})
    assert "apt-get install podman" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", 6),
        ("Temporary failure resolving 'deb.example'", 6),
        ("pinging container registry r.example: dial tcp: lookup: no such host", 6),
        ("E: Unable to locate package nginx", 3),
        ("", 3),
    ],
)
def test_what_the_builder_says_decides_the_exit_status(said: str, kind: int) -> None:
    error = failure("docker", "build", 1, ["STEP 1", said])
    assert error.exit_status == kind
    assert said in error.message


def test_a_registry_that_wants_a_login_says_how() -> None:
    error = failure("podman", "push", 125, ["unauthorized: authentication required"])
    assert isinstance(error, PermissionRefused)
    assert "podman login" in str(error.hint)


def test_a_command_is_run_in_its_folder_and_each_line_told(tmp_path: Path) -> None:
    lines: list[str] = []
    own = Builder("podman", sys.executable, builder._run)
    script = "import os; print('one'); print(os.getcwd())"
    said = own.demand([sys.executable, "-c", script], tmp_path, lines.append)
    assert lines == ["one", str(tmp_path)]
    assert said == f"one\n{tmp_path}"


def test_a_command_that_fails_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    own = Builder("podman", sys.executable, builder._run)
    script = "import sys; print('dial tcp: connection refused', file=sys.stderr); sys.exit(7)"
    with pytest.raises(FlowrexError, match="connection refused") as caught:
        own.demand([sys.executable, "-c", script], tmp_path, lambda line: None)
    assert isinstance(caught.value, ServerUnreachable)
    assert "exit status 7" in caught.value.message
