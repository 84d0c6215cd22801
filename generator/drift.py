"""How what runs differs from what would be rendered now, job by job."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flowrex.nomad import NomadClient
from generator import planview
from generator.differ import Change, counts_only
from generator.plan import JobPlan, plan_jobs
from generator.planview import Line
from generator.render import RenderedJob
from generator.standing import Standing, standings

# `scaled`: only counts differ. `pending`: a deployment is on its way, so that what runs is not
# settled. `foreign`: a job of the namespace that no template of this environment makes.
State = Literal["unchanged", "changed", "scaled", "missing", "stopped", "pending", "foreign"]

_SAYS: dict[State, str] = {
    "unchanged": "as rendered",
    "changed": "differs from what is rendered",
    "scaled": "only its count differs",
    "missing": "is not there",
    "stopped": "was stopped",
    "pending": "a deployment is on its way",
    "foreign": "no template of this environment makes it",
}


@dataclass(frozen=True)
class JobDrift:
    """One job.

    Attributes:
        job: its name.
        state: how it differs.
        version: the version that is there.
        changes: what a run would change.
    """

    job: str
    state: State
    version: int | None
    changes: tuple[Change, ...] = ()

    def counts_as_drift(self, *, counts: bool) -> bool:
        """Tell whether it is drift.

        Args:
            counts: whether a count alone is.
        """
        return (self.state == "scaled" and counts) or self.state not in {"unchanged", "scaled"}


def look(
    nomad: NomadClient, jobs: Sequence[RenderedJob], known: Collection[str] | None
) -> list[JobDrift]:
    """Compare what is rendered with what Nomad has.

    Args:
        nomad: where the jobs are.
        jobs: as they are rendered now, in the order of deployment.
        known: the environment's jobs, so that others are told; None to not look for others.
    """
    plans = plan_jobs(nomad, jobs)
    there = standings(nomad, [job.name for job in jobs])
    found = [_job(plan, one) for plan, one in zip(plans, there, strict=True)]
    if known is not None:
        found += [
            JobDrift(stub.id, "foreign", None)
            for stub in nomad.jobs.stubs()
            if stub.id not in known and not (stub.stop or stub.parent or stub.status == "dead")
        ]
    return found


def _job(plan: JobPlan, standing: Standing) -> JobDrift:
    return JobDrift(plan.job.name, _state(plan, standing), plan.version, plan.changes)


def _state(plan: JobPlan, standing: Standing) -> State:
    if standing.current is None:
        return "missing"
    if standing.current.stop:
        return "stopped"
    if standing.moving or plan.action == "watch":
        return "pending"
    if plan.action == "update":
        return "scaled" if counts_only(plan.changes) else "changed"
    return "unchanged"


def lines(found: Sequence[JobDrift], *, counts: bool) -> Iterator[Line]:
    """Yield what differs, for a person; for a job that does not, one line.

    Args:
        found: the jobs.
        counts: whether a count alone is drift.
    """
    for one in found:
        version = "" if one.version is None else f" (version {one.version})"
        yield Line("title", f"{one.job}{version}: {_SAYS[one.state]}")
        if one.state not in {"missing", "stopped"}:
            yield from planview.change_lines(one.changes)
    drifted = [one.job for one in found if one.counts_as_drift(counts=counts)]
    yield Line("plain", f"Drift: {', '.join(drifted)}." if drifted else "No drift.")


def document(
    environment: str, release: str, found: Sequence[JobDrift], *, counts: bool
) -> dict[str, Any]:
    """Return what `flowrexctl drift --json` prints.

    Args:
        environment: its name.
        release: the version that is rendered.
        found: the jobs.
        counts: whether a count alone is drift.
    """
    return {
        "environment": environment,
        "release": release,
        "drift": any(one.counts_as_drift(counts=counts) for one in found),
        "jobs": [
            {
                "job": one.job,
                "state": one.state,
                "drift": one.counts_as_drift(counts=counts),
                "version": one.version,
                "changes": [planview.change_document(change) for change in one.changes],
            }
            for one in found
        ],
    }
