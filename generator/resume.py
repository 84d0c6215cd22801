"""Going on with a run whose process has died, was stopped, or lost a server.

What was asked for is in the run's record, with the checksum of every spec. The specs themselves are
rendered anew, and have to be the same: what was approved is what runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowrex.errors import StalePlan, UsageError
from flowrex.nomad import NomadClient
from generator.asked import Asked, Planned
from generator.deploy import Step
from generator.plan import plan_jobs
from generator.release import Release
from generator.render import RenderedJob

# How a run ends that was cut off. `canary`: what comes after its promotion is not begun.
_CUT_OFF = {"running", "interrupted", "unreachable", "lock-lost", "error", "canary"}
_SUBMITS = {"create", "update"}


def unfinished(records: Sequence[Release], environment: str) -> Release:
    """Return the run to go on with.

    Args:
        records: of the environment, the newest first.
        environment: its name.

    Raises:
        UsageError: the last change is no run that was cut off; the hint says what to do instead.
    """
    last = next((one for one in records if not _completes(one)), None)
    if last is None:
        raise UsageError(
            f"no run of {environment} is recorded", hint=f"flowrexctl run {environment}"
        )
    if last.kind != "run" and last.outcome in _CUT_OFF:
        again = f"flowrexctl {last.kind} {environment}"
        raise UsageError(
            f"the last {last.kind} was cut off, and begins anew by itself",
            hint=f"{again} {last.back_to}" if last.back_to else again,
        )
    if last.kind != "run" or last.outcome not in _CUT_OFF:
        text = f"the last {last.kind} of {environment}, of {last.started}, is {_word(last)}"
        raise UsageError(
            f"there is nothing to go on with: {text}",
            hint=f"flowrexctl status {environment}",
        )
    return last


def _completes(one: Release) -> bool:
    """A promotion that went well leaves the rest of the run to be done."""
    return one.kind == "promote" and one.outcome == "done" and one.completes is not None


def _word(last: Release) -> str:
    return {"done": "done", "failed": "failed, and was not cut off"}.get(last.outcome, last.outcome)


def steps(
    nomad: NomadClient, asked: Asked, jobs: Sequence[RenderedJob], environment: str
) -> tuple[Step, ...]:
    """Return what is left to do.

    A job that still is at the index at which it was planned was not begun. One whose spec in Nomad
    is the planned one was: it is followed, or done.

    Args:
        nomad: where the jobs are.
        asked: what the run was asked for.
        jobs: rendered anew, or from the plan's file.
        environment: its name.

    Raises:
        StalePlan: the specs are not the same any more.
    """
    planned: Mapping[str, Planned] = asked.planned or {}
    by_name = {job.name: job for job in jobs}
    other = [
        name
        for name, one in planned.items()
        if name not in by_name or by_name[name].sha256 != one.sha256
    ]
    if other:
        raise StalePlan(
            f"what would be deployed is not what the run began with: {', '.join(other)}",
            hint="Go back to the state of the project that it began with, or give its plan with "
            f"--plan. To deploy what is rendered now: flowrexctl run {environment}",
        )
    plans = plan_jobs(nomad, [by_name[name] for name in planned])
    found = []
    for plan in plans:
        one = planned[plan.job.name]
        if plan.action in _SUBMITS:
            # At the planned index: one that somebody else has changed since is refused.
            found.append(Step(plan.job, one.index, one.version, plan.action))
        else:
            found.append(Step(plan.job, plan.index, one.version, plan.action))
    return tuple(found)
