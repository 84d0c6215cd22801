from __future__ import annotations

from dataclasses import replace

from flowrex.consul import ServiceCheck
from flowrex.nomad import Deployment, GroupState, TaskEvent, TaskState
from flowrex.nomad.model import moment
from generator.diagnose import explain
from generator.facts import Facts, FailedCheck
from tests.unit.generator.test_canary import CANARY

SICK = replace(CANARY, healthy=False, tasks={})
GROUP = GroupState(3, 1, 1, 0, 1, (SICK.id,), promoted=False, auto_revert=True, progress_by=None)
FAILED = Deployment("d", "backend", 2, "failed", "Failed due to progress deadline", {"b": GROUP})


def facts(**more: object) -> Facts:
    return Facts("backend", 2, deployment=FAILED, **more)  # type: ignore[arg-type]


def event(kind: str, message: str = "", code: int | None = None, **details: str) -> TaskEvent:
    return TaskEvent(kind, message, moment(0), details, code)


def evidence(task: TaskState) -> list[str]:
    sick = replace(SICK, tasks={"backend": task})
    return list(explain(facts(allocations={sick.id: sick}), "dev").evidence)


def test_the_failing_check_is_named_with_its_output() -> None:
    check = FailedCheck(SICK.id, "ready", "critical", "503 database: refused")
    found = facts(allocations={SICK.id: SICK}, checks={(SICK.id, "ready"): check})
    diagnosis = explain(found, "dev")
    assert diagnosis.summary == (
        "backend version 2 was not deployed: Failed due to progress deadline"
    )
    assert diagnosis.evidence == (
        "allocation aaaaaaaa on n1: check ready is critical: 503 database: refused",
    )
    assert diagnosis.hint.splitlines() == [
        "Its whole log: flowrexctl logs dev backend --alloc aaaaaaaa --stderr",
        "Correct it, then again: flowrexctl run dev",
    ]


def test_a_task_that_ends_says_how_and_how_often() -> None:
    task = TaskState("dead", True, 2, (event("Terminated", "", 1), event("Terminated", "", 137)))
    assert evidence(task) == [
        "allocation aaaaaaaa on n1, task backend: exited with status 137, and was restarted 2 times"
    ]


def test_a_password_in_an_address_is_not_repeated() -> None:
    text = "failed to fetch https://app:hunter2@store.example/app.tar.gz"
    task = TaskState("dead", True, 0, (event("Failed Artifact Download", text),))
    assert "https://app:***@store.example/app.tar.gz" in evidence(task)[0]


def test_a_signal_and_a_lack_of_memory_have_words_of_their_own() -> None:
    killed = TaskState("dead", True, 0, (event("Terminated", "", 0, signal="9"),))
    assert evidence(killed)[0].endswith("was killed by signal 9")
    full = TaskState("dead", True, 0, (event("Terminated", "", 137, oom_killed="true"),))
    assert evidence(full)[0].endswith("was killed because it used more memory than its limit")


def test_what_nomad_says_about_artifacts_drivers_and_templates_is_repeated_once() -> None:
    failed = event("Failed Artifact Download", 'failed to download "x.tgz": 404')
    task = TaskState("dead", True, 0, (event("Received"), failed, failed))
    assert evidence(task) == [
        "allocation aaaaaaaa on n1, task backend: Failed Artifact Download: failed to download "
        '"x.tgz": 404'
    ]


def test_without_any_sign_the_state_is_told() -> None:
    sick = replace(SICK, client_description="Tasks are running")
    (line,) = explain(facts(allocations={sick.id: sick}), "dev").evidence
    assert line.endswith("Tasks are running; it did not become healthy in time")


def test_the_last_lines_of_the_log_come_after_the_reasons() -> None:
    logs = {(SICK.id, "backend"): ("one", "two")}
    found = explain(facts(allocations={SICK.id: SICK}, logs=logs), "dev").evidence
    assert found[-3:] == (
        "allocation aaaaaaaa on n1, task backend, last lines of its log:",
        "  | one",
        "  | two",
    )


def test_healthy_allocations_and_those_of_other_versions_are_not_blamed() -> None:
    old = replace(SICK, id="bbbbbbbb", job_version=1)
    well = replace(CANARY, id="cccccccc")
    assert explain(facts(allocations={old.id: old, well.id: well}), "dev").evidence == ()


def test_a_placement_failure_is_the_reason_and_needs_no_log() -> None:
    found = facts(placement=("group b: not enough cpu",))
    diagnosis = explain(found, "dev", cause="found no place")
    assert diagnosis.summary == "backend version 2 found no place"
    assert diagnosis.evidence == ("can't be placed: group b: not enough cpu",)
    assert "ask for less" in diagnosis.hint


def test_a_superseded_version_blames_nobody() -> None:
    gone = replace(FAILED, status="cancelled", description="Cancelled due to newer version of job")
    found = Facts("backend", 2, deployment=gone, allocations={SICK.id: SICK})
    diagnosis = explain(found, "dev")
    assert diagnosis.summary.startswith("backend version 2 was superseded")
    assert diagnosis.evidence == ()


def test_the_version_that_came_back_is_named() -> None:
    assert explain(facts(reverted_to=1), "dev").evidence == (
        "Nomad went back to version 1, which was healthy.",
    )


def test_the_error_ends_with_exit_status_5() -> None:
    error = explain(facts(reverted_to=1), "dev").error()
    assert error.exit_status == 5
    assert error.message.splitlines()[1].startswith("  Nomad went back")


def seen(*checks: ServiceCheck) -> list[tuple[str, str]]:
    found = facts(allocations={SICK.id: SICK})
    for check in checks:
        found.see_checks([check])
    return [(one.name, one.output) for one in found.checks.values()]


def check(status: str, output: str, service: str = f"_nomad-task-{SICK.id}-x") -> ServiceCheck:
    return ServiceCheck(service, "c", "ready", status, output)


def test_the_last_output_of_a_failing_check_is_kept_until_it_passes() -> None:
    assert seen(check("critical", "first"), check("critical", "second")) == [("ready", "second")]
    assert seen(check("critical", "first"), check("critical", "")) == [("ready", "first")]
    assert seen(check("critical", "first"), check("passing", "ok")) == []


def test_a_check_of_somebody_else_is_not_kept() -> None:
    assert seen(check("critical", "x", "_nomad-task-other-x")) == []


def test_an_output_is_one_short_line_without_markup_or_secrets() -> None:
    output = "HTTP 500:\n<html><b>postgres://app:hunter2@db</b></html>" + "x" * 500
    ((_, kept),) = seen(check("critical", output))
    assert kept.startswith("HTTP 500: postgres://app:***@db ")
    assert len(kept) == 400
