"""The end of a deployment that failed: what Nomad does by itself, and the explanation."""

from __future__ import annotations

from flowrex.errors import DeploymentFailed
from flowrex.nomad import Deployment
from generator import diagnose, sources
from generator.facts import Facts, collect_logs
from generator.watch import Event, Watch

_REVERT_S = 15.0


def failed(watch: Watch, seen: Facts) -> DeploymentFailed:
    """Return the explanation of a deployment that Nomad ended."""
    deployment = seen.deployment
    assert deployment is not None
    watch.tell(Event(seen.job, "failed", deployment.description, {"deployment": deployment.id}))
    if deployment.status == "failed":
        see_revert(watch, seen, deployment)
    return given_up(watch, seen, None)


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
