"""Stop jobs until nothing of them runs, and start them again at the versions that ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowrex.errors import DeploymentFailed, UsageError
from flowrex.nomad import JobVersion
from generator import batch
from generator.deploy import follow_service
from generator.trace import version_at
from generator.watch import Event, OverdueError, Watch

# What connects to the database, in the order of deployment.
USERS = ("backend", "worker")
MIGRATE = "migrate"


def running(watch: Watch, names: Sequence[str] = USERS) -> dict[str, int]:
    """Return the version of each of these jobs that is not stopped."""
    found = {}
    for name in names:
        current = watch.ask(name, watch.nomad.jobs.find, name)
        if current is not None and not current.stop:
            found[name] = current.version
    return found


def stop(watch: Watch, names: Sequence[str]) -> None:
    """Stop jobs, the last one first, and wait until nothing of them runs.

    Raises:
        DeploymentFailed: something of one still runs at the deadline.
    """
    for name in reversed(names):
        end = watch.clock.now() + watch.deadline_s
        current = watch.ask(name, watch.nomad.jobs.get, name)
        try:
            if not current.stop:
                watch.tell(Event(name, "stopping", f"stopping version {current.version}"))
                evaluation = watch.nomad.jobs.stop(name)
                if evaluation:
                    watch.evaluation(name, evaluation, end)
            _await_end(watch, name, end)
        except OverdueError as error:
            raise DeploymentFailed(
                f"{name} could not be stopped within {watch.deadline_s:.0f} s",
                hint=f"nomad job status {name}",
            ) from error
        watch.tell(Event(name, "stopped", "nothing of it runs any more"))


def _await_end(watch: Watch, name: str, end: float) -> None:
    index = 0
    while True:
        allocations, index = watch.ask(
            name, watch.nomad.allocations.wait_job, name, index, watch.step_s
        )
        if not any(one.client_status in {"pending", "running"} for one in allocations):
            return
        if watch.clock.now() >= end:
            raise OverdueError


def start(watch: Watch, versions: Mapping[str, int]) -> None:
    """Start jobs again at these versions and follow each until it is in service.

    One that runs already is followed; one that somebody has changed since is left as it is.

    Raises:
        DeploymentFailed: one did not get into service.
    """
    for name, version in versions.items():
        current = watch.ask(name, watch.nomad.jobs.get, name)
        evaluation: str | None = None
        if current.stop:
            current, evaluation = _revert(watch, current, version)
        follow_service(watch, current, evaluation, previous=current.version, promote=True)


def migrate(watch: Watch) -> None:
    """Run the migrations of the version that is deployed, again.

    Raises:
        DeploymentFailed: they failed.
    """
    current = watch.ask(MIGRATE, watch.nomad.jobs.get, MIGRATE)
    version = current.version
    if current.stop:
        version = next(one.version for one in watch.nomad.jobs.versions(MIGRATE) if not one.stop)
    else:
        stop(watch, [MIGRATE])
        current = watch.ask(MIGRATE, watch.nomad.jobs.get, MIGRATE)
    newest, evaluation = _revert(watch, current, version)
    batch.follow(watch, newest, evaluation)


def require_migrate(watch: Watch) -> None:
    """Refuse a restore with migrations where there are none to run.

    Raises:
        UsageError: the job is not deployed.
    """
    if watch.ask(MIGRATE, watch.nomad.jobs.find, MIGRATE) is None:
        raise UsageError(
            f"{MIGRATE} was never deployed in {watch.environment}",
            hint=f"Restore without --migrate, then: flowrexctl run {watch.environment}",
        )


def _revert(watch: Watch, current: JobVersion, version: int) -> tuple[JobVersion, str]:
    name = current.job_id
    watch.tell(Event(name, "starting", f"starting version {version} again"))
    submitted = watch.nomad.jobs.revert(name, version, current=current.version)
    return version_at(watch, name, submitted.index), submitted.evaluation_id
