from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flowrex.consul import ServiceCheck
from flowrex.errors import DeploymentFailed, StalePlan, UsageError
from flowrex.settings.declare import Duration
from generator import lock, release
from generator.deploy import deploy
from generator.environment import Environment
from generator.promote import give_up, promote
from generator.watch import SystemClock
from tests.unit.generator.rolling import Rig, spec, step

NAMES = ["backend", "nginx"]


@pytest.fixture
def rig() -> Rig:
    """One where a canary of version 1 waits."""
    rig = Rig()
    rig.in_service(spec(v="1"))
    deploy(rig.watch(), step(rig.nomad, spec(v="2", release="1.1.0")), promote=False)
    rig.nomad.written.clear()
    return rig


def test_a_canary_that_waits_replaces_the_old_version(rig: Rig, dev: Environment) -> None:
    (outcome,) = promote(rig.setup(dev), NAMES)
    assert (outcome.result, outcome.version, outcome.previous) == ("deployed", 1, 0)
    current = rig.nomad.jobs.get("backend")
    assert (current.stable, current.tag) == (True, "1.1.0")
    (record,) = release.history(rig.consul, "dev")  # type: ignore[arg-type]
    assert (record.kind, record.version, record.outcome) == ("promote", "1.1.0", "done")


def test_one_that_was_promoted_elsewhere_is_no_error(rig: Rig, dev: Environment) -> None:
    promote(rig.setup(dev), NAMES)
    rig.nomad.written.clear()
    (outcome,) = promote(rig.setup(dev), NAMES)
    assert outcome.result == "unchanged"
    assert rig.nomad.written == []


def test_a_canary_that_sickened_since_is_not_promoted(rig: Rig, dev: Environment) -> None:
    job = spec(v="3")
    job["TaskGroups"][0]["Services"] = [{"Name": "backend", "Checks": [{"Name": "ready"}]}]
    rig.consul.checks["backend"] = [ServiceCheck("", "c", "ready", "critical", "503")]
    with pytest.raises(DeploymentFailed, match="did not end within"):
        deploy(rig.watch(deadline_s=10.0), step(rig.nomad, job), promote=True)
    assert ("promote", "backend") not in rig.nomad.written


def test_a_deployment_that_failed_before_is_told(dev: Environment) -> None:
    rig = Rig()
    with pytest.raises(DeploymentFailed):
        deploy(rig.watch(), step(rig.nomad, spec(behaviour="unhealthy")), promote=False)
    with pytest.raises(DeploymentFailed, match="nothing waits to be promoted"):
        promote(rig.setup(dev), NAMES)


def test_where_nothing_was_ever_deployed_it_is_a_mistake(dev: Environment) -> None:
    with pytest.raises(UsageError, match="nothing is deployed in dev"):
        promote(Rig().setup(dev), NAMES)


def test_a_canary_is_given_up_and_the_stable_version_comes_back(rig: Rig, dev: Environment) -> None:
    (outcome,) = give_up(rig.setup(dev), NAMES)
    assert (outcome.result, outcome.version, outcome.previous) == ("reverted", 2, 1)
    assert rig.nomad.written == [("fail", "backend")]
    assert rig.nomad.jobs.get("backend").spec["Meta"] == {"v": "1"}
    assert rig.nomad.jobs.get("backend").stable


def test_a_canary_is_given_up_although_a_leader_is_elected(
    rig: Rig, dev: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SystemClock, "sleep", lambda clock, seconds: None)
    rig.refuse_to_fail(1)
    (outcome,) = give_up(rig.setup(dev), NAMES)
    assert outcome.result == "reverted"


def test_one_that_is_promoted_at_the_last_moment_is_not_given_up(
    rig: Rig, dev: Environment
) -> None:
    real_fail = rig.nomad.deployments.fail

    def fail(deployment_id: str) -> None:
        promote_outside(rig)
        real_fail(deployment_id)

    rig.nomad.deployments.fail = fail  # type: ignore[method-assign]
    with pytest.raises(StalePlan, match="version 1 is not on its way any more"):
        give_up(rig.setup(dev), NAMES)


def test_without_anything_on_its_way_there_is_nothing_to_give_up(
    rig: Rig, dev: Environment
) -> None:
    promote(rig.setup(dev), NAMES)
    with pytest.raises(UsageError) as caught:
        give_up(rig.setup(dev), NAMES)
    assert "flowrexctl rollback dev" in (caught.value.hint or "")


def test_one_that_ended_while_the_lock_was_waited_for_is_not_given_up(
    rig: Rig, dev: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_acquire = lock._acquire

    def acquire(*arguments: Any) -> None:
        promote_outside(rig)
        real_acquire(*arguments)

    monkeypatch.setattr(lock, "_acquire", acquire)
    with pytest.raises(StalePlan, match="version 1 is not on its way any more"):
        give_up(rig.setup(dev), NAMES)
    assert rig.nomad.jobs.get("backend").version == 1


def promote_outside(rig: Rig) -> None:
    (running, *_) = rig.nomad.deployments.of_job("backend")
    rig.nomad.promote(running.id)
    while rig.nomad.deployments.get(running.id).active:
        rig.nomad.tick()


def test_an_allocation_that_is_to_be_replaced_later_does_not_hold_a_promotion_up(
    rig: Rig, dev: Environment
) -> None:
    evaluations = rig.nomad.known["backend"].evaluations
    later = replace(evaluations[0], id="later", status="pending", triggered_by="alloc-failure")
    evaluations.insert(0, later)
    (outcome,) = promote(replace(rig.setup(dev), environment=in_a_hurry(dev)), NAMES)
    assert outcome.result == "deployed"


def in_a_hurry(dev: Environment) -> Environment:
    return replace(dev, deploy=replace(dev.deploy, deadline=Duration("2s")))


def test_a_first_version_that_is_given_up_has_nothing_to_go_back_to(dev: Environment) -> None:
    rig = Rig()
    rig.nomad.add_version(spec())
    (outcome,) = give_up(rig.setup(dev), NAMES)
    assert (outcome.result, outcome.version) == ("given-up", 0)
    assert "no stable version" in rig.events[-1].text
