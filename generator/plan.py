"""What a run would change: each job parsed, dry-run and compared by Nomad, all at the same time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from flowrex.errors import ConfigurationError, NotFound, PermissionRefused, ServerRefused
from flowrex.nomad import Allocation, Deployment, JobVersion, NomadClient
from generator import placement
from generator.differ import Change, changes
from generator.render import RenderedJob

# create, update: the spec is submitted. The rest leave the spec as it is: `rerun` a batch job whose
# last run failed; `retry` a service whose only deployment failed; `watch` what is still on its way.
Action = Literal["create", "update", "rerun", "retry", "watch", "none"]

_AT_ONCE = 16
_NO_SPEC: Mapping[str, Any] = MappingProxyType({})

_UPDATES = {
    "Place": "create",
    "InPlaceUpdate": "in-place",
    "DestructiveUpdate": "destructive",
    "Canary": "canary",
    "Stop": "stop",
    "Migrate": "migrate",
    "Preemptions": "preempt",
    "Ignore": "unchanged",
}


@dataclass(frozen=True)
class JobPlan:
    """What one job's submission would do.

    Attributes:
        job: the spec that would be submitted.
        index: the job's modify index that the submission insists on; 0: the job must not exist.
        version: the job's current version, None where there is none.
        action: what a run does with it.
        changes: the differences, in the order in which they are shown.
        updates: group to kind (`create`, `in-place`, `destructive`, `canary`, `stop`, `migrate`,
            `preempt`, `unchanged`) to number of allocations.
        placement: why some allocations can't be placed, in sentences.
        warnings: what Nomad remarks on the spec.
    """

    job: RenderedJob
    index: int
    version: int | None
    action: Action
    changes: tuple[Change, ...] = ()
    updates: Mapping[str, Mapping[str, int]] | None = None
    placement: tuple[str, ...] = ()
    warnings: str = ""

    @property
    def submits(self) -> bool:
        """Whether a run submits the spec."""
        return self.action in {"create", "update"}


def plan_jobs(nomad: NomadClient, jobs: Iterable[RenderedJob]) -> tuple[JobPlan, ...]:
    """Plan every job, concurrently.

    Args:
        nomad: the Nomad that would run them.
        jobs: in the order of deployment; the first is planned while the next is rendered.

    Returns:
        One plan a job, in the same order.

    Raises:
        ConfigurationError: Nomad finds a spec wrong.
    """
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
        plans = [threads.submit(plan_job, nomad, job) for job in jobs]
        return tuple(plan.result() for plan in plans)


def plan_job(nomad: NomadClient, job: RenderedJob) -> JobPlan:
    """Plan one job; see `JobPlan`."""
    spec, answer = _ask(nomad, job)
    current = nomad.jobs.find(job.name) if answer["JobModifyIndex"] else None
    plan = annotate(job, answer, current, spec)
    if current is None or plan.submits:
        return plan
    return with_standing(nomad, plan, current)


def _ask(nomad: NomadClient, job: RenderedJob) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parsed spec and Nomad's answer to its plan."""
    try:
        spec = nomad.jobs.parse(job.hcl)
    except (PermissionRefused, NotFound):
        raise
    except ServerRefused as error:
        raise _not_accepted(job, error.message) from error
    try:
        return spec, nomad.jobs.plan(spec)
    except (PermissionRefused, NotFound):
        raise
    except ServerRefused as error:
        # A wrong spec and a failing server both get a 500; the validator tells them apart.
        mistakes, _ = nomad.jobs.validate(spec)
        if not mistakes:
            raise
        raise _not_accepted(job, "; ".join(mistakes)) from error


def _not_accepted(job: RenderedJob, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"Nomad does not accept job {job.name}: {_one_line(reason)}",
        hint="Correct the setting or the template; `flowrexctl validate` checks without planning.",
    )


def _one_line(reason: str) -> str:
    """Return the validator's list of mistakes as it is read: it counts them, a line for each."""
    return re.sub(r"\b\d+ errors? occurred: \* ", "", " ".join(reason.split())).replace(" * ", "; ")


def annotate(
    job: RenderedJob,
    answer: Mapping[str, Any],
    current: JobVersion | None,
    spec: Mapping[str, Any] = _NO_SPEC,
) -> JobPlan:
    """Read Nomad's answer to a plan.

    Args:
        job: what was planned.
        answer: what Nomad answered.
        current: the job's current version.
        spec: the job as Nomad parses it, for the words on what finds no place.
    """
    diff = answer.get("Diff") or {"Type": "None"}
    action: Action = "none"
    if diff["Type"] == "Added":
        action = "create"
    elif diff["Type"] != "None":
        action = "update"
    desired = (answer.get("Annotations") or {}).get("DesiredTGUpdates") or {}
    if spec.get("Periodic"):
        desired = {}  # what its schedule would start if it were now
    return JobPlan(
        job=job,
        index=answer["JobModifyIndex"],
        version=current.version if current else None,
        action=action,
        changes=changes(diff) if action != "none" else (),
        updates={group: _updates(counts) for group, counts in sorted(desired.items())},
        placement=placement.explain(answer.get("FailedTGAllocs") or {}, spec),
        warnings=(answer.get("Warnings") or "").strip(),
    )


def _updates(counts: Mapping[str, int]) -> dict[str, int]:
    return {_UPDATES[name]: n for name, n in counts.items() if n and name in _UPDATES}


def with_standing(nomad: NomadClient, plan: JobPlan, current: JobVersion) -> JobPlan:
    """Complete the plan of a job whose spec does not change by what has become of the job."""
    if current.type == "batch":
        action = batch_action(nomad.allocations.of_job(current.job_id), current)
    else:
        action = service_action(nomad.deployments.of_job(current.job_id), current)
    return JobPlan(
        job=plan.job,
        index=plan.index,
        version=plan.version,
        action=action,
        updates=plan.updates,
        placement=plan.placement if action != "none" else (),
        warnings=plan.warnings,
    )


def batch_action(allocations: Sequence[Allocation], current: JobVersion) -> Action:
    """Decide what an unchanged batch job needs.

    Args:
        allocations: the job's, the newest first.
        current: its version.
    """
    last = latest(allocations, current.version)
    if current.periodic:
        return "none"  # it is started by its schedule
    if any(allocation.live for allocation in last) or current.status in {"pending", "running"}:
        return "watch"
    return "none" if all(succeeded(allocation) for allocation in last) else "rerun"


def succeeded(allocation: Allocation) -> bool:
    """Tell whether a batch job's allocation ran to its end.

    One that was stopped half-way is `complete` to Nomad as well; only what is wanted of it differs.
    """
    return allocation.client_status == "complete" and allocation.desired_status == "run"


def latest(allocations: Sequence[Allocation], version: int) -> list[Allocation]:
    """Return the last allocation of each name; those of `version` where it has any.

    Args:
        allocations: the newest first.
        version: the job's current version.
    """
    own = [one for one in allocations if one.job_version == version] or list(allocations)
    by_name: dict[str, Allocation] = {}
    for allocation in own:
        by_name.setdefault(allocation.name, allocation)
    return list(by_name.values())


def service_action(deployments: Sequence[Deployment], current: JobVersion) -> Action:
    """Decide what an unchanged service needs.

    Args:
        deployments: the job's, the newest first.
        current: its version.
    """
    last = next((one for one in deployments if one.job_version == current.version), None)
    if last is None:
        return "none"
    if last.active:
        return "watch"
    return "retry" if last.status == "failed" and not current.stable else "none"


def has_changes(plans: Sequence[JobPlan]) -> bool:
    """Tell whether a run would do anything at all."""
    return any(plan.action != "none" for plan in plans)
