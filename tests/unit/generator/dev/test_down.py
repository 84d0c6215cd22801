"""How `down` lets jobs end, before a Nomad that shows nothing of a job that it has forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.dev import down, nomad
from generator.dev.layout import Layout


class Nomad:
    """One job with one task that takes a few looks to end."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.stopping = False
        self.purged_while_running: bool | None = None

    def ask(self, _: Layout, path: str, *, method: str = "GET", timeout_s: float = 5.0) -> Any:
        if method == "DELETE":
            self.stopping = True
            if "purge=true" in path:
                self.purged_while_running = self.looks > 0
            return {}
        if path.startswith("/v1/jobs"):
            return [{"ID": "backend", "Namespace": "default"}]
        if self.purged_while_running is not None:
            return []
        self.looks -= self.stopping
        return [{"ID": "a", "ClientStatus": "running" if self.looks > 0 else "complete"}]


def test_a_job_is_forgotten_only_when_its_tasks_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Nomad(looks=3)
    monkeypatch.setattr(nomad, "ask", server.ask)
    monkeypatch.setattr(down, "_POLL_S", 0)
    removed = down.Removed()
    down._purge(Layout(tmp_path, 20000), removed)
    assert server.purged_while_running is False
    assert removed.jobs == ["backend"]


def test_a_task_that_does_not_end_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Nomad(looks=10**9)
    monkeypatch.setattr(nomad, "ask", server.ask)
    monkeypatch.setattr(down, "_POLL_S", 0)
    monkeypatch.setattr(down, "_JOBS_S", 0.01)
    removed = down.Removed()
    down._purge(Layout(tmp_path, 20000), removed)
    assert removed.jobs == ["backend"]
