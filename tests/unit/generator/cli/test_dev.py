"""`flowrexctl dev` where it needs no server: what it refuses, and how it says so."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import click
import pytest

import generator.cli as cli
from generator.cli.dev import command
from generator.dev import state
from generator.dev.layout import MARKER, Layout
from generator.dev.process import Identity
from generator.dev.state import ClusterState, ServerRecord

SUBCOMMANDS = ("setup", "up", "down", "reset", "status", "logs", "env", "servers")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLOWREX_DEV_DIR", str(tmp_path / "dev"))
    monkeypatch.delenv("FLOWREX_DEV_PORT_BASE", raising=False)
    return tmp_path / "dev"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        cli.main(["dev", *arguments])
    out, err = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, click.unstyle(out), click.unstyle(err)


def test_the_subcommands_are_these() -> None:
    assert isinstance(command, click.Group)
    assert set(command.commands) == set(SUBCOMMANDS)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_has_help_with_an_example_and_json(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, name, "--help")
    assert status == 0
    assert f"flowrexctl dev {name}" in out.split("\n", 1)[1]
    assert "--json" in out


@pytest.mark.parametrize("name", ["status", "env"])
def test_without_a_cluster_it_says_how_to_make_one(
    name: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    status, out, err = run(capsys, name)
    assert (status, out) == (6, "")
    assert str(folder) in err
    assert "dev up" in err


def test_down_without_a_cluster_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "down")[:2] == (0, "Nothing was running.\n")


def test_reset_deletes_nothing_where_nobody_can_be_asked(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "data").mkdir(parents=True)
    status, _, err = run(capsys, "reset")
    assert status == 2
    assert "--yes" in err
    assert (folder / "data").exists()


def test_reset_deletes_what_the_cluster_made_and_nothing_else(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "data" / "vault").mkdir(parents=True)
    ClusterState(Layout(folder, 20000)).save()
    (folder / "mine.txt").touch()
    assert run(capsys, "reset", "--yes")[0] == 0
    assert not (folder / "data").exists()
    assert (folder / "mine.txt").exists()
    assert run(capsys, "reset", "--yes")[:2] == (0, "Nothing was running.\n")


def test_a_taken_port_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as server:
        base = _listen_somewhere(server, offset=82)
        monkeypatch.setenv("FLOWREX_DEV_PORT_BASE", str(base))
        status, _, err = run(capsys, "up")
    assert status == 3
    assert f"port {base + 82} (Vault's API) is held by pid" in err
    assert not (folder / "data").exists()


def test_a_killed_server_is_dead_in_the_status(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    folder.mkdir()
    gone = Identity(2**22 + 1, 1, "an earlier boot")
    record = ServerRecord("vault", gone, 20082, "1.18.0", 0.0, "f")
    ClusterState(Layout(folder, 20000), {"vault": record}, "configured").save()
    status, out, _ = run(capsys, "status", "--json")
    assert status == 6
    document = json.loads(out)
    assert document["healthy"] is False
    vault = next(one for one in document["servers"] if one["name"] == "vault")
    assert (vault["state"], vault["pid"]) == ("dead", None)
    assert vault["detail"] == "the machine was started again since"


def test_two_at_once_exit_8(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    folder.mkdir()
    with state.locked(folder):
        status, _, err = run(capsys, "down")
    assert status == 8
    assert "another `flowrexctl dev`" in err


def test_an_unreadable_record_does_not_keep_down_from_working(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    folder.mkdir()
    (folder / "cluster.json").write_text("{")
    assert run(capsys, "status")[0] == 3
    assert run(capsys, "down")[0] == 0
    assert (folder / "cluster.json.unreadable").exists()


@pytest.mark.parametrize(("verb", "expected"), [(("down",), 0), (("reset", "--yes"), 3)])
def test_a_folder_of_something_else_is_left_alone(
    capsys: pytest.CaptureFixture[str], folder: Path, verb: tuple[str, ...], expected: int
) -> None:
    for name in ("mounts/photos/2024", "alloc/plans/2025", "data/nomad-notes", "logs"):
        (folder / name).mkdir(parents=True)
    before = sorted(folder.rglob("*"))
    status, _, err = run(capsys, *verb)
    assert status == expected
    assert ("is not the folder of a dev cluster" in err) is (expected == 3)
    assert sorted(folder.rglob("*")) == before


def test_what_runs_of_a_cluster_whose_folder_was_deleted_is_ended(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    left = subprocess.Popen(["sleep", "60"], env={**os.environ, MARKER: str(folder)})
    try:
        status, out, err = run(capsys, "down")
        assert status == 0
        assert "1 left-over processes ended" in err
        assert "The cluster is down" in out
        assert left.wait(timeout=0) == -signal.SIGTERM
    finally:
        left.kill()
        left.wait()


def _listen_somewhere(server: socket.socket, offset: int) -> int:
    """Listen on a free port that leaves room for a cluster's base below it."""
    server.bind(("127.0.0.1", 0))
    server.listen()
    return int(server.getsockname()[1]) - offset
