"""The end of a deployment that failed: what Nomad does by itself, and the explanation."""

from __future__ import annotations

from flowrex.errors import DeploymentFailed, PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.nomad import Deployment
from generator import diagnose, sources
from generator.facts import Facts, collect_logs
from generator.watch import Event, Watch

_REVERT_S = 15.0


def fail(watch: Watch, deployment: Deployment) -> Deployment | None:
    """Fail a deployment, as patiently as it is asked for: a canary that is worse must not stay.

    Args:
        watch: whom to ask.
        deployment: as last seen.

    Returns:
        None where it has failed, by this or before; else the deployment, which had ended otherwise.

    Raises:
        ServerUnreachable: Nomad does not answer or refuses, and it goes on.
    """

    def attempt() -> Deployment | None:
        try:
            watch.nomad.deployments.fail(deployment.id)
        except PermissionRefused:
            raise
        except ServerRefused:
            # It has ended, also by an attempt whose answer was lost; or a leader is elected.
            now = watch.nomad.deployments.get(deployment.id)
            if now.active:
                raise
            return None if now.status == "failed" else now
        return None

    try:
        return watch.ask(deployment.job_id, attempt)
    except ServerUnreachable as error:
        raise type(error)(
            f"{deployment.job_id} version {deployment.job_version} could not be given up, "
            f"and its deployment may go on: {error.message}",
            hint=f"When the server answers again: flowrexctl fail {watch.environment}",
        ) from error


def failed(watch: Watch, seen: Facts) -> DeploymentFailed:
    """Return the explanation of a deployment that Nomad ended."""
    deployment = seen.deployment
    assert deployment is not None
    watch.tell(Event(seen.job, "failed", deployment.description, {"deployment": deployment.id}))
    if deployment.status == "failed":
        see_revert(watch, seen, deployment)
    return given_up(watch, seen, None)


def cut_short(watch: Watch, seen: Facts, cause: str) -> Deployment:
    """Fail a deployment that can't be waited for any longer.

    Args:
        watch: whom to ask and to tell.
        seen: what is known of it.
        cause: why it is not waited for.

    Returns:
        The deployment, where it got into service at the last moment.

    Raises:
        DeploymentFailed: it did not; the message says why.
    """
    if seen.deployment is None:
        raise given_up(watch, seen, cause)  # Nomad has not even begun with one
    ended = fail(watch, seen.deployment)
    if ended is not None:
        seen.deployment = ended
        if ended.status == "successful":
            return ended
        raise failed(watch, seen)
    watch.tell(Event(seen.job, "failed", f"version {seen.version} {cause} and is given up"))
    see_revert(watch, seen, seen.deployment)
    raise given_up(watch, seen, f"{cause} and was given up")


def see_revert(watch: Watch, seen: Facts, deployment: Deployment) -> None:
    """Wait for Nomad's own way back, where the job asks for it, and tell of it."""
    if not any(group.auto_revert for group in deployment.groups.values()):
        return
    seen.reverted_to = reverted_to(watch, seen.job, seen.version)
    if seen.reverted_to is not None:
        text = f"Nomad went back to version {seen.reverted_to}"
        watch.tell(Event(seen.job, "reverted", text, {"version": seen.reverted_to}))


def given_up(watch: Watch, seen: Facts, cause: str | None) -> DeploymentFailed:
    """Collect what is still to be had and return the explanation."""
    collect_logs(watch.nomad, seen)
    for source in sources.waited_for(seen.culprits):
        seen.sources[source] = sources.there(source, watch.consul, watch.vault)
    return diagnose.explain(seen, watch.environment, cause=cause).error()


def reverted_to(watch: Watch, name: str, failed_version: int) -> int | None:
    """Wait until Nomad has gone back by itself after a failure.

    Returns:
        The stable version whose spec runs again; None where Nomad did not go back.
    """
    end = watch.clock.now() + _REVERT_S
    while True:
        versions = watch.ask(name, watch.nomad.jobs.versions, name)
        stable = [one.version for one in versions if one.stable and one.version < failed_version]
        if not stable:
            return None
        if versions[0].version > failed_version:
            return max(stable)
        if watch.clock.now() >= end:
            return None
        watch.clock.sleep(0.5)
