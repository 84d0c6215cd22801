"""Node.js as it is found, and what its npm says becomes a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError, ServerUnreachable
from generator.artifact import node


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine with both programs, and the shell's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder, "node", "echo v18.20.4")
    program(folder, "npm", 'echo "$@ $NODE_ENV $NEXT_TELEMETRY_DISABLED" > asked')
    return {"PATH": str(folder), "NODE_ENV": "production"}


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ("v18.20.0", True),
        ("v20.1.2", True),
        ("v18.19.9", False),
        ("v16.20.2", False),
        ("", False),
        ("18", False),
    ],
)
def test_a_version_is_new_enough_from_18_20_on(version: str, enough: bool) -> None:
    assert node.new_enough(version) is enough


def test_npm_runs_in_the_folder_without_telemetry_and_with_the_compiler(
    environ: dict[str, str], tmp_path: Path
) -> None:
    found = node.find(environ)
    found.npm(("run", "build"), tmp_path)
    assert found.version == "v18.20.4"
    assert (tmp_path / "asked").read_text() == "run build  1\n"


def test_a_node_that_is_too_old_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin", "node", "echo v16.20.2")
    with pytest.raises(ConfigurationError, match=r"is v16\.20\.2; .* by 18\.20 or newer"):
        node.find(environ)


@pytest.mark.parametrize("missing", ["node", "npm"])
def test_what_is_missing_is_named_with_what_to_do(
    environ: dict[str, str], tmp_path: Path, missing: str
) -> None:
    (tmp_path / "bin" / missing).unlink()
    with pytest.raises(ConfigurationError, match=f"built by {missing}, not on PATH") as refused:
        node.find(environ)
    assert "make setup" in str(refused.value.hint)


def test_packages_out_of_reach_are_told_as_such(environ: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin", "npm", "echo 'npm error code ENOTFOUND'; exit 1")
    with pytest.raises(ServerUnreachable, match="`npm ci` can't fetch"):
        node.find(environ).npm(("ci",), tmp_path)


def test_a_build_that_fails_says_the_compilers_last_words(
    environ: dict[str, str], tmp_path: Path
) -> None:
    program(tmp_path / "bin", "npm", "echo; echo 'app/page.tsx:3 Type error'; exit 1")
    with pytest.raises(ConfigurationError, match=r"`npm run build` failed: app/page\.tsx:3"):
        node.find(environ).npm(("run", "build"), tmp_path)
