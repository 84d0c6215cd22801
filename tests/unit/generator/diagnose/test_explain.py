from __future__ import annotations

from dataclasses import replace

from flowrex.consul import ServiceCheck
from flowrex.nomad import Deployment, GroupState, TaskEvent, TaskState
from flowrex.nomad.model import moment
from generator.diagnose import explain
from generator.facts import Facts, FailedCheck
from tests.unit.generator.test_canary import CANARY

PASSWORD = "hunter2"

SICK = replace(CANARY, healthy=False, tasks={})
GROUP = GroupState(3, 1, 1, 0, 1, (SICK.id,), promoted=False, auto_revert=True, progress_by=None)
FAILED = Deployment("d", "backend", 2, "failed", "Failed due to progress deadline", {"b": GROUP})


TASK = "group backend, task backend, allocation aaaaaaaa on n1"


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
        "group backend, allocation aaaaaaaa on n1: check ready is critical: 503 database: refused",
    )
    assert diagnosis.hint.splitlines() == [
        "Its whole log: flowrexctl logs dev backend --alloc aaaaaaaa --stderr",
        "Correct it, then again: flowrexctl run dev",
    ]


def test_a_task_that_ends_says_how_and_how_often() -> None:
    task = TaskState("dead", True, 2, (event("Terminated", "", 1), event("Terminated", "", 7)))
    assert evidence(task) == [f"{TASK}: exited with status 7, and was restarted 2 times"]


def test_a_password_in_an_address_is_not_repeated() -> None:
    text = f"failed to fetch https://app:{PASSWORD}@store.example/app.tar.gz"
    task = TaskState("dead", True, 0, (event("Failed Artifact Download", text),))
    assert "https://app:***@store.example/app.tar.gz" in evidence(task)[0]


def test_what_nomad_did_to_a_task_is_no_reason_beside_what_it_did_it_for() -> None:
    restarted = event("Restart Signaled", 'healthcheck: check "ready" unhealthy')
    task = TaskState("dead", True, 0, (restarted, event("Terminated", "", 137, signal="9")))
    sick = replace(SICK, tasks={"backend": task})
    check = FailedCheck(SICK.id, "ready", "critical", "")
    found = facts(allocations={SICK.id: sick}, checks={(SICK.id, "ready"): check})
    assert explain(found, "dev").evidence == (
        "group backend, allocation aaaaaaaa on n1: check ready is critical: it has said nothing "
        "yet",
    )


def test_a_task_that_was_stopped_for_another_is_told_of_only_where_nothing_else_is() -> None:
    stopped = TaskState("dead", True, 0, (event("Sibling Task Failed", 'sibling "log" failed'),))
    assert evidence(stopped) == [f"{TASK}: was stopped because task log of its group failed"]
    ended = TaskState("dead", True, 0, (event("Terminated", "", 1),))
    sick = replace(SICK, tasks={"backend": stopped, "log": ended})
    (line,) = explain(facts(allocations={sick.id: sick}), "dev").evidence
    assert "task log, allocation aaaaaaaa on n1: exited with status 1" in line


def test_what_nomad_says_is_repeated_once() -> None:
    failed = event("Failed Artifact Download", 'failed to download "x.tgz": 404')
    task = TaskState("dead", True, 0, (event("Received"), failed, failed))
    assert evidence(task) == [f"{TASK}: its artifact can't be had: {failed.message}"]


def test_what_kept_a_task_from_beginning_is_over_once_it_began() -> None:
    waited = event("Template", "Missing: vault.read(kv/data/x)")
    task = TaskState("dead", True, 0, (waited, event("Started"), event("Terminated", "", 1)))
    assert evidence(task) == [f"{TASK}: exited with status 1"]


def test_what_a_template_waited_for_is_over_once_it_failed() -> None:
    waited = event("Template", "Missing: vault.read(kv/data/x)")
    failed = event("Killing", "Template failed: no such thing")
    assert evidence(TaskState("dead", True, 0, (waited, failed))) == [
        f"{TASK}: its template can't be written: no such thing"
    ]


def test_the_same_reason_in_many_allocations_is_one_line() -> None:
    ended = TaskState("dead", True, 0, (event("Terminated", "", 1),))
    many = {
        name: replace(SICK, id=name, node=f"n{at}", create_index=9 - at, tasks={"backend": ended})
        for at, name in enumerate(("a" * 8, "b" * 8, "c" * 8, "d" * 8, "e" * 8), 1)
    }
    assert explain(facts(allocations=many), "dev").evidence == (
        "group backend, task backend, allocation aaaaaaaa on n1 and allocation bbbbbbbb on n2 and "
        "allocation cccccccc on n3 and 2 more: exited with status 1",
    )


def test_of_many_reasons_the_nearest_are_told_and_the_rest_counted() -> None:
    tasks = {
        f"t{n}": TaskState("dead", True, 0, (event("Terminated", "", n),)) for n in range(1, 9)
    }
    sick = replace(SICK, tasks=tasks)
    found = explain(facts(allocations={sick.id: sick}), "dev").evidence
    assert len(found) == 7
    assert found[-1] == "and 2 more reasons"


def test_a_reason_has_the_command_that_helps_with_it() -> None:
    waited = event("Template", "Missing: kv.block(flowrex/x)")
    sick = replace(SICK, tasks={"backend": TaskState("pending", False, 0, (waited,))})
    found = facts(allocations={sick.id: sick}, sources={"kv.block(flowrex/x)": False})
    assert explain(found, "dev").hint.splitlines() == [
        "Write it: consul kv put flowrex/x -",
        "Correct it, then again: flowrexctl run dev",
    ]


def test_without_any_sign_the_state_is_told() -> None:
    sick = replace(SICK, client_description="Tasks are running")
    (line,) = explain(facts(allocations={sick.id: sick}), "dev").evidence
    assert line.endswith("Tasks are running; it did not become healthy in time")


def test_what_has_not_begun_has_no_log_to_look_at() -> None:
    waiting = replace(SICK, tasks={"backend": TaskState("pending", False, 0, ())})
    hint = explain(facts(allocations={SICK.id: waiting}), "dev").hint
    assert hint.startswith("Every event of it: nomad alloc status aaaaaaaa\n")
    running = replace(SICK, tasks={"backend": TaskState("running", False, 0, ())})
    assert "flowrexctl logs" in explain(facts(allocations={SICK.id: running}), "dev").hint


def test_the_last_lines_of_the_log_come_after_the_reasons() -> None:
    logs = {(SICK.id, "backend"): ("one", "two"), (SICK.id, "other"): ("three",)}
    ended = TaskState("dead", True, 0, (event("Terminated", "", 1),))
    sick = replace(SICK, tasks={"backend": ended})
    found = explain(facts(allocations={SICK.id: sick}, logs=logs), "dev").evidence
    assert found[-3:] == (
        "the last lines of task backend (stderr):",
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


def test_a_canary_that_nobody_could_promote_says_why() -> None:
    waiting = replace(FAILED, status="running", groups={"b": replace(GROUP, healthy=1)})
    found = Facts("backend", 2, deployment=waiting, unready=("canary aaaaaaaa is failed",))
    (line,) = explain(found, "dev", cause="did not end within 7 s").evidence
    assert line == "can't be promoted: canary aaaaaaaa is failed"
    ended = replace(found, deployment=FAILED)
    assert explain(ended, "dev").evidence == ()


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


def test_a_password_in_an_output_is_not_repeated() -> None:
    assert seen(check("critical", "503 password=hunter2")) == [("ready", "503 password=***")]


SERVICES = {"Services": [{"Name": "web", "Checks": [{"Name": "ready"}]}]}
SPEC = {"TaskGroups": [{"Name": "backend", **SERVICES, "Tasks": []}]}


def test_a_service_that_consul_never_knew_is_a_reason() -> None:
    running = replace(SICK, tasks={"backend": TaskState("running", False, 0, ())})
    found = facts(allocations={SICK.id: running}, spec=SPEC)
    assert "never known" not in explain(found, "dev").evidence[0], "it was not asked yet"
    found.see_checks([])
    assert explain(found, "dev").evidence == (
        "group backend, allocation aaaaaaaa on n1: Consul has never known check ready of service "
        "web; the service is not registered",
    )
    found.see_checks([check("passing", "")])
    assert "never known" not in explain(found, "dev").evidence[0]


def test_a_service_whose_task_does_not_run_is_not_missed() -> None:
    waiting = replace(SICK, tasks={"backend": TaskState("pending", False, 0, ())})
    found = facts(allocations={SICK.id: waiting}, spec=SPEC)
    found.see_checks([])
    assert "never known" not in explain(found, "dev").evidence[0]


def test_a_check_of_somebody_else_is_not_kept() -> None:
    assert seen(check("critical", "x", "_nomad-task-other-x")) == []


def test_an_output_is_one_short_line_without_markup_or_secrets() -> None:
    output = f"HTTP 500:\n<html><b>postgres://app:{PASSWORD}@db</b></html>" + "x" * 500
    ((_, kept),) = seen(check("critical", output))
    assert kept.startswith("HTTP 500: postgres://app:***@db ")
    assert len(kept) == 400
