"""Promotion of canaries that wait, and giving them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowrex.errors import DeploymentFailed, StalePlan, UsageError
from generator import keeping
from generator.deploy import Outcome, follow_service
from generator.facts import Facts
from generator.failure import fail, reverted_to
from generator.recorder import Recorder
from generator.run import under_lock, unvalidated
from generator.setup import Setup
from generator.standing import Standing, standings
from generator.watch import Event, OverdueError, Watch


def promote(
    setup: Setup,
    names: Sequence[str],
    validate: Callable[[Watch, Recorder], None] = unvalidated,
) -> list[Outcome]:
    """Promote every canary that waits, as soon as it is healthy, and follow it to the end.

    Args:
        setup: whom to ask and to tell.
        names: the jobs to look at, in the order of deployment.
        validate: called under the lock when all is promoted; raises where it does not work.

    Returns:
        What became of each job; `unchanged` where nothing waited and the version is in service.

    Raises:
        UsageError: none of the jobs has ever been deployed.
        DeploymentFailed: a deployment failed, now or before.
    """
    found = [one for one in standings(setup.nomad, names) if one.current is not None]
    if not found:
        raise UsageError(
            f"nothing is deployed in {setup.environment.name} that could be promoted",
            hint=f"flowrexctl run {setup.environment.name}",
        )
    if not any(one.moving for one in found):
        return [_settled(setup, one) for one in found]
    version = next((one.release for one in found if one.moving), None)
    outcomes: list[Outcome] = []
    with under_lock(setup, "promote", version) as (watch, recorder):
        for one in found:
            if one.moving:
                outcomes.append(_promote(watch, one))
                keeping.note(watch, recorder, outcomes[-1])
        validate(watch, recorder)
    return outcomes


def _promote(watch: Watch, standing: Standing) -> Outcome:
    current = standing.current
    assert current is not None
    earlier = [one.version for one in standing.versions if one.version < current.version]
    previous = max(earlier, default=None)
    return follow_service(watch, current, None, previous=previous, promote=True)


def _settled(setup: Setup, standing: Standing) -> Outcome:
    current, deployment = standing.current, standing.deployment
    assert current is not None
    if deployment is not None and deployment.status in {"failed", "cancelled"}:
        raise DeploymentFailed(
            f"{standing.name}: nothing waits to be promoted; the last deployment ended: "
            f"{deployment.description}",
            hint=f"flowrexctl status {setup.environment.name}",
        )
    text = f"version {current.version} waits for nothing"
    setup.tell(Event(standing.name, "unchanged", text))
    return Outcome(standing.name, "unchanged", current.version, None)


def give_up(setup: Setup, names: Sequence[str]) -> list[Outcome]:
    """Fail every deployment that is on its way and wait until the stable version is back.

    Args:
        setup: whom to ask and to tell.
        names: the jobs to look at.

    Raises:
        UsageError: nothing is on its way.
    """
    found = [one for one in standings(setup.nomad, names) if one.moving]
    if not found:
        raise UsageError(
            f"nothing is on its way in {setup.environment.name} that could be given up",
            hint=f"To leave a version that is in service: flowrexctl rollback "
            f"{setup.environment.name}",
        )
    with under_lock(setup, "fail", found[0].release) as (watch, recorder):
        outcomes = []
        for one in found:
            outcomes.append(fail_deployment(watch, one))
            keeping.note(watch, recorder, outcomes[-1])
    return outcomes


def fail_deployment(watch: Watch, standing: Standing) -> Outcome:
    """Fail one deployment, and follow the stable version back where Nomad reverts by itself.

    Args:
        watch: whom to ask and to tell.
        standing: of a job whose deployment is on its way.

    Raises:
        StalePlan: it has ended since.
    """
    name, deployment, current = standing.name, standing.deployment, standing.current
    assert deployment is not None
    assert current is not None
    now = watch.ask(name, watch.nomad.deployments.get, deployment.id)
    # It may have ended by itself, or somebody ended it, while the lock was waited for.
    over = fail(watch, now) if now.active else now
    if over is not None:
        raise StalePlan(
            f"{name} version {current.version} is not on its way any more: {over.description}",
            hint=f"flowrexctl status {watch.environment}",
        )
    watch.tell(Event(name, "failed", f"version {current.version} was given up as asked"))
    end = watch.clock.now() + watch.deadline_s
    seen = Facts(name, current.version, current.spec)
    try:
        ended = watch.deployment(deployment, seen, current, end, stop_at_canary=False)
    except OverdueError as error:
        raise DeploymentFailed(
            f"{name}: Nomad did not end the deployment within {watch.deadline_s:.0f} s",
            hint=f"flowrexctl status {watch.environment}",
        ) from error
    back = None
    if any(group.auto_revert for group in ended.groups.values()):
        back = reverted_to(watch, name, current.version)
    if back is None:
        text = "no stable version to go back to; what runs stays as it is"
        watch.tell(Event(name, "given-up", text))
        return Outcome(name, "given-up", current.version, current.version, deployment.id)
    watch.tell(Event(name, "reverted", f"Nomad goes back to version {back}"))
    newest = watch.ask(name, watch.nomad.jobs.get, name)
    outcome = follow_service(watch, newest, None, previous=current.version, promote=True)
    return Outcome(name, "reverted", outcome.version, current.version, outcome.deployment)
