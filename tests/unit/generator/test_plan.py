from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from flowrex.errors import ServerUnreachable
from flowrex.nomad import Deployment, NomadClient
from generator.plan import annotate, batch_action, has_changes, plan_jobs, service_action
from generator.render import RenderedJob
from tests.unit.generator.rolling import Rig, rendered, spec

JOB = rendered(spec())


@pytest.fixture
def rig() -> Rig:
    return Rig()


def planned(rig: Rig, *jobs: dict[str, Any]) -> list[str]:
    plans = plan_jobs(cast(NomadClient, rig.nomad), [rendered(job) for job in jobs])
    return [plan.action for plan in plans]


def test_a_job_that_is_not_there_is_new(rig: Rig) -> None:
    assert planned(rig, spec()) == ["create"]


def test_a_job_that_differs_is_updated_and_one_that_does_not_is_left_alone(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    assert planned(rig, spec(v="1"), spec(v="2")) == ["none", "update"]


def test_plans_come_in_the_order_of_the_jobs_whatever_answers_first(rig: Rig) -> None:
    names = [f"job-{number}" for number in range(8)]
    plans = plan_jobs(cast(NomadClient, rig.nomad), [rendered(spec(name)) for name in names])
    assert [plan.job.name for plan in plans] == names


def test_an_error_of_one_plan_is_the_error_of_all(rig: Rig) -> None:
    rig.nomad.down = True
    with pytest.raises(ServerUnreachable):
        planned(rig, spec("a"), spec("b"))


def test_no_jobs_are_no_plan() -> None:
    assert plan_jobs(cast(NomadClient, None), []) == ()


def test_an_unchanged_service_whose_canary_waits_is_watched_on(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    rig.nomad.add_version(spec(v="2"))
    assert planned(rig, spec(v="2")) == ["watch"]


def test_an_unchanged_service_whose_only_deployment_failed_is_started_again(rig: Rig) -> None:
    rig.nomad.add_version(spec(behaviour="unhealthy"))
    for _ in range(3):
        rig.nomad.tick()
    assert planned(rig, spec(behaviour="unhealthy")) == ["retry"]


def test_a_failure_that_a_stable_version_outlived_is_not_retried(rig: Rig) -> None:
    rig.in_service(spec())
    current = rig.nomad.jobs.get("backend")
    failed = Deployment("d", "backend", current.version, "failed", "", {})
    assert service_action([failed], current) == "none"
    assert service_action([failed], replace(current, stable=False)) == "retry"
    assert service_action([], current) == "none"


@pytest.mark.parametrize(
    ("behaviour", "ticks", "action"),
    [("", 0, "watch"), ("", 1, "none"), ("exit 3", 1, "rerun")],
)
def test_an_unchanged_batch_job_runs_again_only_where_it_failed(
    rig: Rig, behaviour: str, ticks: int, action: str
) -> None:
    job = spec("migrate", kind="batch", count=1, behaviour=behaviour)
    rig.nomad.add_version(job)
    for _ in range(ticks):
        rig.nomad.tick()
    assert planned(rig, job) == [action]


def test_a_batch_job_that_was_stopped_half_way_runs_again(rig: Rig) -> None:
    rig.nomad.add_version(spec("migrate", kind="batch", count=1))
    rig.nomad.jobs.stop("migrate")
    (stopped,) = rig.nomad.allocations.of_job("migrate")
    assert stopped.client_status == "complete"
    dead = replace(rig.nomad.jobs.get("migrate"), status="dead")
    assert batch_action([stopped], dead) == "rerun"


def test_a_batch_job_whose_allocations_nomad_forgot_is_left_alone(rig: Rig) -> None:
    job = spec("migrate", kind="batch", count=1)
    rig.nomad.add_version(job)
    rig.nomad.tick()
    assert batch_action([], rig.nomad.jobs.get("migrate")) == "none"


def test_annotations_say_what_happens_to_each_group() -> None:
    counts = {"Canary": 1, "Ignore": 2, "Place": 0, "DestructiveUpdate": 3, "Reconnect": 4}
    answer = {
        "JobModifyIndex": 9,
        "Diff": {"Type": "Edited"},
        "Annotations": {"DesiredTGUpdates": {"backend": counts}},
        "FailedTGAllocs": {"backend": {"NodesEvaluated": 1, "DimensionExhausted": {"cpu": 1}}},
        "Warnings": "one\n",
    }
    plan = annotate(JOB, answer, None)
    assert plan.updates == {"backend": {"canary": 1, "unchanged": 2, "destructive": 3}}
    assert plan.placement == ("group backend: not enough cpu on 1 of 1 node",)
    assert (plan.index, plan.action, plan.warnings) == (9, "update", "one")


def test_an_answer_without_anything_is_no_change() -> None:
    plan = annotate(JOB, {"JobModifyIndex": 9, "Diff": None, "Annotations": None}, None)
    assert plan.action == "none"
    assert not has_changes([plan])


def test_a_plan_is_of_the_job_that_was_rendered() -> None:
    job: RenderedJob = rendered(spec("nginx"))
    assert annotate(job, {"JobModifyIndex": 0, "Diff": {"Type": "Added"}}, None).job is job
