"""Batch jobs: they run to their end, and that must be a good one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from flowrex.errors import DeploymentFailed
from flowrex.nomad import Allocation, JobVersion
from generator.facts import Facts
from generator.failure import given_up
from generator.plan import latest, succeeded
from generator.watch import BlockedError, Event, OverdueError, Watch

State = Literal["complete", "failed", "stopped", "running"]


def state(allocations: Sequence[Allocation], version: int, count: int) -> State:
    """Tell how a run of a batch job stands.

    Args:
        allocations: of this run, the newest first.
        version: the job's version.
        count: how many allocations it wants.
    """
    last = latest([one for one in allocations if one.job_version == version], version)
    if any(_lost_for_good(one) for one in last):
        return "failed"
    if any(_stopped_for_good(one) for one in last):
        return "stopped"
    ended = [one for one in last if succeeded(one)]
    return "complete" if len(ended) == len(last) >= count else "running"


def _lost_for_good(allocation: Allocation) -> bool:
    ended_badly = allocation.client_status in {"failed", "lost"}
    return ended_badly and not allocation.rescheduling and allocation.replaced_by is None


def _stopped_for_good(allocation: Allocation) -> bool:
    ended = allocation.client_status == "complete" and allocation.desired_status == "stop"
    return ended and allocation.replaced_by is None


def follow(watch: Watch, current: JobVersion, evaluation_id: str | None) -> int:
    """Follow a run to its end.

    Args:
        watch: whom to ask and to tell.
        current: the version that runs.
        evaluation_id: of its submission; None where that was in an earlier run.

    Returns:
        The job's version.

    Raises:
        DeploymentFailed: it failed, found no place or did not end in time.
    """
    name = current.job_id
    seen = Facts(name, current.version, current.spec)
    end = watch.clock.now() + watch.deadline_s
    try:
        if evaluation_id:
            evaluation = watch.evaluation(name, evaluation_id, end)
            if evaluation.status != "complete":
                why = evaluation.description or evaluation.status
                raise _failed(watch, seen, f"could not be scheduled: {why}")
        _wait(watch, current, seen, end)
    except OverdueError as error:
        raise _failed(watch, seen, f"did not end within {watch.deadline_s:.0f} s") from error
    except BlockedError as error:
        raise _failed(watch, seen, f"found no place for {watch.placement_s:.0f} s") from error
    watch.tell(Event(name, "ran", f"version {current.version} ran to its end"))
    return current.version


def _wait(watch: Watch, current: JobVersion, seen: Facts, end: float) -> None:
    index = 0
    blocked_since: float | None = None
    while True:
        allocations, index = watch.ask(
            seen.job, watch.nomad.allocations.wait_job, seen.job, index, watch.step_s
        )
        own = [one for one in allocations if one.job_version == current.version]
        seen.see_allocations(own)
        watch.tell_tasks(seen)
        match state(own, current.version, current.count):
            case "complete":
                return
            case "failed":
                raise _failed(watch, seen, "failed")
            case "stopped":
                raise _failed(watch, seen, "was stopped before it had run to its end")
            case "running":
                blocked_since = watch.placement(
                    seen, blocked_since, lacking=len(own) < current.count
                )
        if watch.clock.now() >= end:
            raise OverdueError


def _failed(watch: Watch, seen: Facts, cause: str) -> DeploymentFailed:
    watch.tell(Event(seen.job, "failed", cause))
    return given_up(watch, seen, cause)
