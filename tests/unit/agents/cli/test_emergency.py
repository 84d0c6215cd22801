"""`flowrex-agent emergency`: what a node sees, would run, and would tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from agents import local
from agents.main import main
from agents.notify.spool import Spool

STEPS = [
    {"change": "5-halt", "kind": "audit", "name": "", "state": "done", "attempts": 1, "detail": ""},
    {
        "change": "5-halt",
        "kind": "hook",
        "name": "10-page",
        "state": "failed",
        "attempts": 1,
        "detail": "ended with 3",
    },
]
SEEN = {
    "level": "halt",
    "why": "emergency level halt is on, by ann",
    "acknowledged": 5,
    "acknowledged_at": "2026-03-01T12:00:00+00:00",
    "steps": STEPS,
    "problem": "hook 10-page: ended with 3",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "hooks").mkdir(mode=0o755)
    path = tmp_path / "agent.yaml"
    path.write_text(
        f"state_dir: {tmp_path}/state\nemergency:\n  hooks:\n    dir: {tmp_path}/hooks\n"
    )
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["emergency", *arguments])
    out, err = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, click.unstyle(out), click.unstyle(err)


def test_status_shows_level_and_steps(
    capsys: pytest.CaptureFixture[str], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "status", lambda settings: {"tasks": {"emergency": SEEN}})
    status, out, err = run(capsys, "status", "--config", str(config))
    assert status == 0
    assert "Emergency: halt (emergency level halt is on, by ann)" in out
    assert "hook 10-page" in out
    assert err == "hook 10-page: ended with 3\n"
    _, out, _ = run(capsys, "status", "--config", str(config), "--json")
    assert json.loads(out) == {**SEEN, "exit_status": 0}


def test_status_of_a_node_that_does_not_follow_it_is_a_mistake(
    capsys: pytest.CaptureFixture[str], config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(settings: Any) -> Any:
        return {"tasks": {}}

    monkeypatch.setattr(local, "status", without)
    status, _, err = run(capsys, "status", "--config", str(config))
    assert status == 3
    assert "does not follow the kill switch" in err


def test_hooks_that_would_not_be_run_are_named_with_the_reason(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    assert run(capsys, "hooks", "--config", str(config))[0] == 0
    for name, mode in (("10-good", 0o755), ("20-bad", 0o777)):
        path = tmp_path / "hooks" / name
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    status, out, _ = run(capsys, "hooks", "--config", str(config))
    assert status == 3
    assert "10-good  would be run" in out
    assert "can be written by others (mode 0777)" in out


def test_a_test_message_waits_for_every_channel(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    assert run(capsys, "notify", "--config", str(config))[0] == 3
    config.write_text(config.read_text() + "notify:\n  webhook:\n    enabled: true\n")
    status, out, _ = run(capsys, "notify", "--config", str(config), "--text", "hello")
    assert status == 0
    assert "Handed to webhook" in out
    (waiting,) = Spool(tmp_path / "state" / "notify").waiting()
    assert (waiting.channel, waiting.message.text) == ("webhook", "hello")
