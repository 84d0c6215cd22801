"""Before a run that touches the database's users there is a good backup, or a reason for none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest

from flowrex.consul import ConsulClient
from flowrex.errors import HardStop, ServerUnreachable
from flowrex.node_requests import Request, State
from flowrex.testing.consul import FakeConsul
from generator.deploy import Step
from generator.node_requests import Desk
from generator.plan import Action
from generator.predeploy import back_up
from tests.unit.generator.answering import answering, publish
from tests.unit.generator.rolling import JumpingClock, rendered, spec

Ended = tuple[State, str, Mapping[str, Any]]
Work = Callable[[Request], Ended]


@pytest.fixture
def consul() -> FakeConsul:
    return FakeConsul()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def desk(consul: FakeConsul, told: list[str]) -> Desk:
    return Desk("dev", cast(ConsulClient, consul), told.append)


def step(name: str = "backend", action: Action = "update", previous: int | None = 3) -> Step:
    return Step(rendered(spec(name)), 7, previous, action)


def agent(**ends: Ended) -> Work:
    """Return an agent that takes backups and finds them good, unless `ends` says otherwise."""
    usual: dict[str, Ended] = {
        "backup": ("done", "taken", {"name": "pre_deploy_20260301_120000"}),
        "verify": ("done", "every byte is right", {"good": True}),
    }
    return lambda request: {**usual, **ends}[request.kind]


def test_it_is_taken_and_read_again(consul: FakeConsul, desk: Desk) -> None:
    publish(consul)
    with answering(consul, agent()) as asked:
        backup = back_up(desk, [step()], skip=None)
    assert backup is not None
    assert (backup.name, backup.node) == ("pre_deploy_20260301_120000", "n1")
    assert [(one.kind, dict(one.arguments)) for one in asked] == [
        ("backup", {"reason": "pre_deploy"}),
        ("verify", {"name": "pre_deploy_20260301_120000"}),
    ]


@pytest.mark.parametrize(
    "steps",
    [
        [step("nginx")],
        [step("backend", "none"), step("migrate", "none")],
        [step("backend", "watch")],
    ],
)
def test_a_run_that_leaves_the_databases_users_alone_needs_none(
    consul: FakeConsul, desk: Desk, steps: list[Step]
) -> None:
    assert back_up(desk, steps, skip=None) is None


def test_a_migration_alone_needs_one(consul: FakeConsul, desk: Desk) -> None:
    publish(consul)
    with answering(consul, agent()):
        assert back_up(desk, [step("migrate", "rerun"), step(action="none")], skip=None)


def test_it_is_left_out_for_a_reason_that_is_kept(desk: Desk, told: list[str]) -> None:
    backup = back_up(desk, [step()], skip="the store is being moved")
    assert backup is not None
    assert backup.as_document() == {
        "name": None, "node": None, "skipped": "the store is being moved",
    }  # fmt: skip
    assert "the store is being moved" in told[-1]


def test_the_first_deployment_may_come_before_the_agents(desk: Desk, told: list[str]) -> None:
    backup = back_up(desk, [step(action="create", previous=None)], skip=None)
    assert backup is not None
    assert backup.name is None
    assert "first deployment" in told[-1]


def test_the_first_deployment_on_a_database_with_an_agent_takes_one(
    consul: FakeConsul, desk: Desk
) -> None:
    publish(consul)
    with answering(consul, agent()):
        backup = back_up(desk, [step(action="create", previous=None)], skip=None)
    assert backup is not None
    assert backup.name


@pytest.mark.parametrize(
    ("ends", "word"),
    [
        ({"backup": ("failed", "the disk is full", {})}, "the disk is full"),
        ({"backup": ("refused", "the clock has jumped", {})}, "the clock has jumped"),
        ({"verify": ("failed", "the store is away", {})}, "the store is away"),
        ({"verify": ("done", "chunk 3 is not what it was", {"good": False})}, "chunk 3"),
        ({"verify": ("done", "hm", {})}, "is no good: hm"),
    ],
)
def test_without_a_good_one_nothing_is_begun(
    consul: FakeConsul, desk: Desk, ends: dict[str, Ended], word: str
) -> None:
    publish(consul)
    with answering(consul, agent(**ends)), pytest.raises(HardStop, match=word) as caught:
        back_up(desk, [step()], skip=None)
    assert "Nothing was changed" in (caught.value.hint or "")
    assert "--skip-backup" in (caught.value.hint or "")


def test_no_agent_that_can_is_a_server_out_of_reach(consul: FakeConsul, desk: Desk) -> None:
    with pytest.raises(ServerUnreachable, match="no agent of dev runs that does backup") as caught:
        back_up(desk, [step()], skip=None)
    assert "--skip-backup" in (caught.value.hint or "")


def test_an_agent_that_does_not_answer_is_not_waited_for_for_ever(
    consul: FakeConsul, desk: Desk
) -> None:
    publish(consul)
    impatient = replace(desk, accept_s=3, clock=JumpingClock())
    with pytest.raises(ServerUnreachable, match="has not taken the request"):
        back_up(impatient, [step()], skip=None)
