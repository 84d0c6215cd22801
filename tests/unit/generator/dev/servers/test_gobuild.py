"""How Go is called, and what happens when it does not get to its end."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.dev.servers import CATALOG
from generator.dev.servers.gobuild import build, command
from generator.dev.servers.toolchain import Go
from tests.unit.generator.dev.servers.machine import Box, Heard

GO = Go(Path("/go"), {})


def run(box: Box, heard: Heard, **changes: str) -> Path:
    folder = box.root / "folder"
    folder.mkdir()
    return build(
        CATALOG["consul"],
        Go(box.bin / "go", {}),
        modules=box.modules,
        folder=folder,
        log=box.root / "log",
        environ={**box.environ, **changes},
        progress=heard,
    )


def test_the_command_keeps_the_modules_as_they_are_and_the_result_reproducible() -> None:
    assert command(CATALOG["nomad"], GO, Path("/out")) == [
        "/go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
        "-o", "/out", "github.com/hashicorp/nomad",
    ]  # fmt: skip


def test_vault_is_built_without_what_can_not_be_verified() -> None:
    assert "-tags=minimal" in command(CATALOG["vault"], GO, Path("/out"))


def test_it_runs_in_the_server_s_own_module(box: Box, heard: Heard) -> None:
    box.put_go_on_path(build='pwd > "$out"')

    assert run(box, heard).read_text().strip() == str(box.modules / "consul")


def test_settings_that_would_loosen_verification_do_not_reach_go(box: Box, heard: Heard) -> None:
    box.put_go_on_path(build='/usr/bin/env > "$out"')

    said = run(
        box, heard, GOFLAGS="-insecure", GONOSUMDB="*", GOINSECURE="*", GOSUMDB="off"
    ).read_text()

    assert not any(
        line.startswith(("GOFLAGS", "GONOSUMDB", "GOINSECURE", "GOSUMDB"))
        for line in said.splitlines()
    )


def test_the_place_to_fetch_modules_from_does_reach_go(box: Box, heard: Heard) -> None:
    box.put_go_on_path(build='/usr/bin/env > "$out"')

    assert (
        "GOPROXY=https://mirror.example"
        in run(box, heard, GOPROXY="https://mirror.example").read_text()
    )


def test_progress_shows_the_time_and_the_estimate(box: Box, heard: Heard) -> None:
    box.put_go_on_path()

    run(box, heard)

    assert heard.steps[0] == "building, 0 s (the first time about 3 min)"


def test_a_failure_shows_go_s_last_words_without_the_downloads(box: Box, heard: Heard) -> None:
    box.put_go_on_path(
        build='echo "go: downloading a v1"; echo "checksum mismatch"; exit 1',
    )

    with pytest.raises(ConfigurationError) as failed:
        run(box, heard)

    assert failed.value.message == (
        "Go could not build consul 1.19.2 (exit status 1):\nchecksum mismatch"
    )
    assert str(box.root / "log") in (failed.value.hint or "")


def test_an_interruption_ends_go_and_all_that_it_started(
    box: Box, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever has the pipe open for writing lives; its reader sees the end when nobody does.
    pipe = box.root / "pipe"
    os.mkfifo(pipe)
    box.put_go_on_path(build=f"exec > {pipe}; echo here; /bin/sleep 600 & /bin/sleep 600")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def interrupt(text: str) -> None:
        assert select.select([reader], [], [], 20)[0]
        assert os.read(reader, 100) == b"here\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(heard, "step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(box, heard)

    assert select.select([reader], [], [], 20)[0]
    assert os.read(reader, 100) == b""
    os.close(reader)
