from __future__ import annotations

from dataclasses import replace

import pytest

from flowrex.consul import ServiceCheck
from flowrex.nomad import Allocation, Check, Deployment, GroupState
from generator.canary import judge

CANARY = Allocation(
    id="aaaaaaaa-1111",
    name="backend.backend[0]",
    job_id="backend",
    job_version=2,
    group="backend",
    node="n1",
    client_status="running",
    client_description="",
    desired_status="run",
    deployment_id="d",
    healthy=True,
    canary=True,
    create_index=5,
    replaced_by=None,
    rescheduling=False,
    tasks={},
)
GROUP = GroupState(
    desired_total=3,
    desired_canaries=1,
    placed=1,
    healthy=1,
    unhealthy=0,
    canaries=(CANARY.id,),
    promoted=False,
    auto_revert=True,
    progress_by=None,
)
DEPLOYMENT = Deployment("d", "backend", 2, "running", "", {"backend": GROUP})
READY = ServiceCheck(f"_nomad-task-{CANARY.id}-http", "c1", "ready", "passing", "")
DECLARED = (Check("backend", "ready"),)


def reasons(
    *allocations: Allocation, checks: tuple[ServiceCheck, ...] = (READY,)
) -> tuple[str, ...]:
    return judge(DEPLOYMENT, allocations or (CANARY,), checks, DECLARED).reasons


def test_a_canary_that_runs_and_passes_everywhere_is_ready() -> None:
    assert judge(DEPLOYMENT, [CANARY], [READY], DECLARED).ready


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"client_status": "pending"}, "canary aaaaaaaa is pending"),
        ({"healthy": None}, "canary aaaaaaaa is not healthy yet in Nomad"),
        ({"healthy": False}, "canary aaaaaaaa is unhealthy in Nomad"),
        ({"client_status": "failed"}, "group backend has 0 of 1 canaries placed"),
        ({"desired_status": "stop"}, "group backend has 0 of 1 canaries placed"),
    ],
)
def test_a_canary_that_died_or_sickened_since_is_not(
    change: dict[str, object], reason: str
) -> None:
    assert reasons(replace(CANARY, **change)) == (reason,)  # type: ignore[arg-type]


def test_nomads_word_alone_is_not_enough() -> None:
    sick = replace(READY, status="critical")
    assert reasons(checks=(sick,)) == ("canary aaaaaaaa: check ready is critical in Consul",)


def test_a_check_that_consul_does_not_know_is_not_passing() -> None:
    assert reasons(checks=()) == (
        "canary aaaaaaaa: Consul does not know check ready of service backend",
    )


def test_a_check_of_another_allocation_does_not_count() -> None:
    others = replace(READY, service_id="_nomad-task-bbbbbbbb-http")
    assert reasons(checks=(others,)) != ()


def test_a_canary_that_was_replaced_is_forgotten() -> None:
    dead = replace(CANARY, id="dead", client_status="failed")
    group = replace(GROUP, canaries=("dead", CANARY.id))
    deployment = replace(DEPLOYMENT, groups={"backend": group})
    assert judge(deployment, [dead, CANARY], [READY], DECLARED).ready


def test_a_group_without_canary_or_already_promoted_is_not_judged() -> None:
    groups = {"a": replace(GROUP, desired_canaries=0), "b": replace(GROUP, promoted=True)}
    assert judge(replace(DEPLOYMENT, groups=groups), [], [], DECLARED).ready
