from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flowrex.errors import (
    DeploymentFailed,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
    StalePlan,
)
from flowrex.nomad import Allocation, Deployment, Evaluation
from generator import canary
from generator.deploy import deploy
from generator.plan import Action
from tests.unit.generator.rolling import Rig, spec, step


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_first_deployment_goes_straight_to_the_end(rig: Rig) -> None:
    outcome = deploy(rig.watch(), step(rig.nomad, spec()), promote=False)
    assert (outcome.result, outcome.version, outcome.previous) == ("deployed", 0, None)
    assert rig.told[0] == "submitted"
    assert rig.told[-1] == "deployed"


def test_an_update_ends_with_a_canary_that_waits(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    outcome = deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=False)
    assert (outcome.result, outcome.version, outcome.previous) == ("canary", 1, 0)
    assert ("promote", "backend") not in rig.nomad.written


def test_an_update_that_is_to_be_promoted_goes_to_the_end(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    outcome = deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=True)
    assert outcome.result == "deployed"
    assert rig.nomad.written == [("register", "backend"), ("promote", "backend")]
    assert rig.nomad.jobs.get("backend").stable


def test_a_promotion_that_is_not_allowed_is_not_tried_again(rig: Rig) -> None:
    tried = refuse_promotion(rig, PermissionRefused("Permission denied"))
    with pytest.raises(PermissionRefused):
        deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=True)
    assert len(tried) == 1


def test_a_promotion_that_is_refused_for_ever_meets_the_deadline(rig: Rig) -> None:
    tried = refuse_promotion(rig, ServerRefused("too few healthy canaries"))
    with pytest.raises(DeploymentFailed, match="did not end within 100 s"):
        deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=True)
    assert len(tried) > 1


def refuse_promotion(rig: Rig, error: ServerRefused) -> list[str]:
    """Bring a version into service, refuse every promotion after it, and return the attempts."""
    rig.in_service(spec(v="1"))
    tried: list[str] = []

    def promote(deployment_id: str) -> None:
        tried.append(deployment_id)
        assert len(tried) < 500, "it is tried without an end"
        raise error

    rig.nomad.deployments.promote = promote  # type: ignore[method-assign]
    return tried


def test_a_plan_whose_job_was_changed_since_is_stale_and_nothing_is_written(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    planned = step(rig.nomad, spec(v="2"))
    rig.in_service(spec(v="other"))
    with pytest.raises(StalePlan) as caught:
        deploy(rig.watch(), planned, promote=False)
    assert "was version 0 and is now version 1" in caught.value.message
    assert caught.value.hint == "See what a run would change now: flowrexctl plan dev"
    assert rig.nomad.written == []


def test_a_job_that_appeared_or_went_since_the_plan_is_stale(rig: Rig) -> None:
    planned = step(rig.nomad, spec())
    rig.in_service(spec())
    with pytest.raises(StalePlan, match="did not exist"):
        deploy(rig.watch(), planned, promote=False)
    planned = step(rig.nomad, spec())
    rig.nomad.jobs.stop("backend", purge=True)
    with pytest.raises(StalePlan, match="was removed"):
        deploy(rig.watch(), planned, promote=False)


def test_a_failed_version_is_explained_and_the_version_that_came_back_is_named(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    rig.nomad.logs[("backend", "stderr")] = "starting\nno database\n"
    with pytest.raises(DeploymentFailed) as caught:
        deploy(rig.watch(), step(rig.nomad, spec(behaviour="unhealthy")), promote=True)
    text = caught.value.message
    assert "backend version 1 was not deployed: Failed due to unhealthy allocations" in text
    assert "| no database" in text
    assert "went back to version 0" in text
    assert "flowrexctl logs dev backend --alloc" in (caught.value.hint or "")
    assert rig.told[-2:] == ["failed", "reverted"]


def test_a_failed_first_version_has_nothing_to_go_back_to(rig: Rig) -> None:
    with pytest.raises(DeploymentFailed) as caught:
        deploy(rig.watch(), step(rig.nomad, spec(behaviour="unhealthy")), promote=True)
    assert "went back" not in caught.value.message


def test_a_service_whose_only_deployment_failed_is_started_again(rig: Rig) -> None:
    job = spec(behaviour="unhealthy")
    with pytest.raises(DeploymentFailed):
        deploy(rig.watch(), step(rig.nomad, job), promote=False)
    rig.nomad.written.clear()
    with pytest.raises(DeploymentFailed):
        deploy(rig.watch(), step(rig.nomad, job, "retry"), promote=False)
    assert rig.nomad.written == [("stop", "backend"), ("register", "backend")]


def test_a_job_without_allocations_is_done_at_once(rig: Rig) -> None:
    outcome = deploy(rig.watch(), step(rig.nomad, spec(count=0)), promote=False)
    assert outcome.result == "deployed"
    assert "asks for no allocation" in rig.events[-1].text


def test_what_finds_no_place_is_given_up_after_a_while_and_the_old_version_stays(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    with pytest.raises(DeploymentFailed) as caught:
        deploy(
            rig.watch(placement_s=5.0),
            step(rig.nomad, spec(behaviour="unplaceable")),
            promote=True,
        )
    assert "not enough memory on 1 of 1 node" in caught.value.message
    assert "went back to version 0" in caught.value.message
    assert ("fail", "backend") in rig.nomad.written


def test_what_finds_no_place_is_given_up_although_a_leader_is_elected(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    rig.refuse_to_fail(2)
    with pytest.raises(DeploymentFailed, match="found no place for 5 s and was given up"):
        deploy(
            rig.watch(placement_s=5.0),
            step(rig.nomad, spec(behaviour="unplaceable")),
            promote=True,
        )


def test_a_deployment_that_never_ends_meets_the_deadline(rig: Rig) -> None:
    with pytest.raises(DeploymentFailed, match="did not end within 20 s"):
        deploy(
            rig.watch(deadline_s=20.0, placement_s=1000.0),
            step(rig.nomad, spec(behaviour="unplaceable")),
            promote=True,
        )


def slow(rig: Rig) -> None:
    """Let the canary of the next version never get healthy, nor unhealthy."""
    rig.in_service(spec(v="1"))
    rig.nomad._become_healthy = lambda job, deployment_id: None  # type: ignore[method-assign]


def test_what_takes_too_long_is_given_up_and_the_old_version_comes_back(rig: Rig) -> None:
    slow(rig)
    with pytest.raises(DeploymentFailed) as caught:
        deploy(rig.watch(deadline_s=20.0), step(rig.nomad, spec(v="2")), promote=True)
    assert "version 1 did not end within 20 s and was given up" in caught.value.message
    assert "can't be promoted: canary" in caught.value.message
    assert "went back to version 0" in caught.value.message
    assert rig.nomad.written == [("register", "backend"), ("fail", "backend")]
    assert rig.told[-2:] == ["failed", "reverted"]


def test_what_gets_into_service_at_the_last_moment_is_deployed(rig: Rig) -> None:
    slow(rig)
    real_fail = rig.nomad.deployments.fail

    def fail(deployment_id: str) -> None:
        del rig.nomad._become_healthy
        rig.nomad.promote(deployment_id)
        rig.nomad.tick()
        rig.nomad.tick()
        real_fail(deployment_id)

    rig.nomad.deployments.fail = fail  # type: ignore[method-assign]
    outcome = deploy(rig.watch(deadline_s=20.0), step(rig.nomad, spec(v="2")), promote=True)
    assert outcome.result == "deployed"


def test_what_nomad_has_not_even_begun_with_is_explained_alone(rig: Rig) -> None:
    real_wait = rig.nomad.jobs.wait_evaluation

    def wait(evaluation_id: str, index: int, wait_s: float) -> tuple[Evaluation, int]:
        evaluation, index = real_wait(evaluation_id, index, wait_s)
        return replace(evaluation, status="pending"), index

    rig.nomad.jobs.wait_evaluation = wait  # type: ignore[method-assign]
    with pytest.raises(DeploymentFailed, match=r"did not end within 20 s$"):
        deploy(rig.watch(deadline_s=20.0), step(rig.nomad, spec()), promote=True)
    assert ("fail", "backend") not in rig.nomad.written


def test_a_version_that_somebody_else_replaces_is_superseded(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    real_wait = rig.nomad.deployments.wait

    def wait(deployment_id: str, index: int, wait_s: float) -> tuple[Deployment, int]:
        if rig.nomad.jobs.get("backend").version == 1:
            rig.nomad.add_version(spec(v="theirs"))
        return real_wait(deployment_id, index, wait_s)

    rig.nomad.deployments.wait = wait  # type: ignore[method-assign]
    with pytest.raises(DeploymentFailed, match="superseded") as caught:
        deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=True)
    assert "Somebody else" in (caught.value.hint or "")


def test_a_leader_election_does_not_end_a_run(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    real_wait, asked = rig.nomad.deployments.wait, []

    def wait(deployment_id: str, index: int, wait_s: float) -> tuple[Deployment, int]:
        asked.append(index)
        if len(asked) in {2, 3}:
            raise ServerUnreachable("No cluster leader")
        return real_wait(deployment_id, index, wait_s)

    rig.nomad.deployments.wait = wait  # type: ignore[method-assign]
    assert deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=True).result == "deployed"
    assert rig.told.count("unreachable") == 1


def test_a_server_that_stays_away_ends_a_run_and_says_where_to_look(rig: Rig) -> None:
    rig.in_service(spec(v="1"))

    def wait(deployment_id: str, index: int, wait_s: float) -> tuple[Deployment, int]:
        raise ServerUnreachable("Nomad does not answer")

    rig.nomad.deployments.wait = wait  # type: ignore[method-assign]
    with pytest.raises(ServerUnreachable) as caught:
        deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=True)
    assert "flowrexctl status dev" in (caught.value.hint or "")


def test_what_is_not_there_is_not_asked_for_again(rig: Rig) -> None:
    with pytest.raises(NotFound):
        rig.watch().ask("backend", rig.nomad.jobs.get, "backend")
    assert rig.clock.time == 0


def test_a_lost_lock_stops_the_watching(rig: Rig) -> None:
    class LostError(Exception):
        pass

    calls = []

    def guard() -> None:
        calls.append(1)
        if len(calls) > 3:
            raise LostError

    with pytest.raises(LostError):
        deploy(rig.watch(guard=guard), step(rig.nomad, spec()), promote=True)


class LockLostError(Exception):
    pass


def guarding(lost: list[str]) -> Callable[[], None]:
    """Return a guard that raises once there is something in a list."""

    def guard() -> None:
        if lost:
            raise LockLostError

    return guard


@pytest.mark.parametrize("action", ["update", "rerun"])
def test_without_the_lock_nothing_is_submitted_or_stopped(
    rig: Rig, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.in_service(spec(v="1"))
    lost: list[str] = []

    def lose(call: Callable[[str], Any]) -> Callable[[str], Any]:
        def wrapped(argument: str) -> Any:
            lost.append(argument)
            return call(argument)

        return wrapped

    # The last question before each of the two.
    monkeypatch.setattr(rig.nomad.jobs, "parse", lose(rig.nomad.jobs.parse))
    monkeypatch.setattr(rig.nomad.allocations, "of_job", lose(rig.nomad.allocations.of_job))
    with pytest.raises(LockLostError):
        deploy(rig.watch(guard=guarding(lost)), step(rig.nomad, spec(v="1"), action), promote=False)
    assert rig.nomad.written == []


def test_without_the_lock_no_canary_is_promoted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.in_service(spec(v="1"))
    lost: list[str] = []
    real_judge = canary.judge

    def judge(*arguments: Any) -> canary.Verdict:
        verdict = real_judge(*arguments)
        if verdict.ready:
            lost.append("the lock")
        return verdict

    monkeypatch.setattr(canary, "judge", judge)
    with pytest.raises(LockLostError):
        deploy(rig.watch(guard=guarding(lost)), step(rig.nomad, spec(v="2")), promote=True)
    assert rig.nomad.written == [("register", "backend")]


def test_an_unchanged_job_is_left_alone(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    outcome = deploy(rig.watch(), step(rig.nomad, spec(v="1"), "none"), promote=True)
    assert outcome.result == "unchanged"
    assert rig.nomad.written == []


def test_a_canary_of_an_earlier_run_is_watched_on(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=False)
    outcome = deploy(rig.watch(), step(rig.nomad, spec(v="2"), "watch"), promote=False)
    assert (outcome.result, outcome.version) == ("canary", 1)


def test_a_batch_job_runs_to_its_end(rig: Rig) -> None:
    job = spec("migrate", kind="batch", count=1)
    outcome = deploy(rig.watch(), step(rig.nomad, job), promote=False)
    assert (outcome.result, outcome.version) == ("ran", 0)


def test_a_batch_job_that_fails_says_with_which_status(rig: Rig) -> None:
    job = spec("migrate", kind="batch", count=1, behaviour="exit 3")
    with pytest.raises(DeploymentFailed, match="exited with status 3"):
        deploy(rig.watch(), step(rig.nomad, job), promote=False)


def test_a_batch_job_that_somebody_stops_half_way_has_not_run(rig: Rig) -> None:
    real_wait = rig.nomad.allocations.wait_job

    def wait(job_id: str, index: int, wait_s: float) -> tuple[list[Allocation], int]:
        if not rig.nomad.jobs.get(job_id).stop:
            rig.nomad.jobs.stop(job_id)
        return real_wait(job_id, index, wait_s)

    rig.nomad.allocations.wait_job = wait  # type: ignore[method-assign]
    job = spec("migrate", kind="batch", count=1)
    with pytest.raises(DeploymentFailed, match="was stopped before it had run to its end"):
        deploy(rig.watch(), step(rig.nomad, job), promote=False)


def test_a_batch_job_that_failed_is_run_again_with_the_same_spec(rig: Rig) -> None:
    job = spec("migrate", kind="batch", count=1, behaviour="exit 3")
    with pytest.raises(DeploymentFailed):
        deploy(rig.watch(), step(rig.nomad, job), promote=False)
    rig.nomad.written.clear()
    with pytest.raises(DeploymentFailed):
        deploy(rig.watch(), step(rig.nomad, job, "rerun"), promote=False)
    assert rig.nomad.written == [("stop", "migrate"), ("register", "migrate")]


def test_a_batch_job_that_is_never_scheduled_is_not_waited_for(rig: Rig) -> None:
    real_wait = rig.nomad.jobs.wait_evaluation

    def wait(evaluation_id: str, index: int, wait_s: float) -> tuple[Evaluation, int]:
        evaluation, index = real_wait(evaluation_id, index, wait_s)
        return replace(evaluation, status="failed", description="maximum attempts reached"), index

    rig.nomad.jobs.wait_evaluation = wait  # type: ignore[method-assign]
    job = spec("migrate", kind="batch", count=1, behaviour="unplaceable")
    with pytest.raises(DeploymentFailed, match="could not be scheduled: maximum attempts reached"):
        deploy(rig.watch(placement_s=1000.0), step(rig.nomad, job), promote=False)


def test_a_batch_job_that_finds_no_place_is_given_up(rig: Rig) -> None:
    job = spec("migrate", kind="batch", count=1, behaviour="unplaceable")
    with pytest.raises(DeploymentFailed, match="found no place for 5 s"):
        deploy(rig.watch(placement_s=5.0), step(rig.nomad, job), promote=False)
