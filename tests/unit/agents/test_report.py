"""The agent's verdict on itself: passing, warning where it gets over it, critical where not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agents import report

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def process() -> report.Process:
    return report.Process(
        node="node-1",
        environment="dev",
        started_at=NOW,
        configuration=report.Configuration("/etc/flowrex/agent.yaml", NOW),
    )


def task(state: str = "running", **more: Any) -> dict[str, Any]:
    return {"state": state, "error": "", "silent_s": 0.0, **more}


def check(process: report.Process, **tasks: dict[str, Any]) -> tuple[str, str]:
    said = report.document(process, tasks, NOW)["check"]
    return said["status"], said["output"]


def test_all_well_is_passing(process: report.Process) -> None:
    assert check(process, audit=task(), backup=task()) == ("passing", "2 tasks run")


@pytest.mark.parametrize(
    ("one", "status", "sentence"),
    [
        (task("waiting", error="S3 is away"), "warning", "audit: S3 is away"),
        (task(problem="behind by 2 h"), "warning", "audit: behind by 2 h"),
        (task("stuck", silent_s=61.2), "critical", "audit: stuck, silent for 61 s"),
        (task("ended", error="pg_dump is missing"), "critical", "audit: pg_dump is missing"),
    ],
)
def test_what_is_wrong_with_a_task_is_a_sentence(
    process: report.Process, one: dict[str, Any], status: str, sentence: str
) -> None:
    assert check(process, audit=one, backup=task()) == (status, sentence)


def test_a_refused_configuration_is_a_warning_that_stays(process: report.Process) -> None:
    process.configuration.problem = "agent.yaml:3: unknown setting 'x'"
    status, output = check(process, audit=task())
    assert status == "warning"
    assert "unknown setting 'x'" in output


def test_an_agent_that_ends_is_critical(process: report.Process) -> None:
    process.state = "stopped"
    assert check(process) == ("critical", "the agent is stopped")


def test_many_problems_are_cut_for_consul_and_whole_in_the_document(
    process: report.Process,
) -> None:
    tasks = {f"task-{number}": task(problem="x" * 100) for number in range(20)}
    said = report.document(process, tasks, NOW)
    assert len(said["check"]["output"]) < 700
    assert len(said["problems"]) == 20
