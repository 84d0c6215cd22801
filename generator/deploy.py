"""One job's way into service: submit what was planned, find its deployment, follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from flowrex.errors import DeploymentFailed, PermissionRefused, ServerUnreachable
from flowrex.nomad import Deployment, Evaluation, IndexConflict, JobVersion
from generator import batch, scaled
from generator.facts import Facts
from generator.failure import cut_short, failed, given_up
from generator.plan import Action, service_action
from generator.render import RenderedJob
from generator.stale import stale
from generator.trace import find_deployment, pending_evaluation, version_at
from generator.trial import Trial
from generator.watch import BlockedError, Event, OverdueError, Watch

# `pending` was not begun; `reverted` is the stable version again after a failure or a rollback;
# `given-up` ended without a stable version to go back to.
Result = Literal["deployed", "canary", "unchanged", "ran", "pending", "reverted", "given-up"]


@dataclass(frozen=True)
class Step:
    """One job of a run.

    Attributes:
        job: the spec.
        index: the modify index that the job must have; 0: it must not exist.
        previous: the version that was current at that index.
        action: what to do, as planned.
        counts: group to the count that it keeps, whatever the spec says; see `generator.scaled`.
    """

    job: RenderedJob
    index: int
    previous: int | None
    action: Action
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one job."""

    job: str
    result: Result
    version: int | None
    previous: int | None
    deployment: str | None = None

    def as_document(self) -> Mapping[str, object]:
        """Return what `--json` prints."""
        return {
            "job": self.job,
            "result": self.result,
            "version": self.version,
            "previous": self.previous,
            "deployment": self.deployment,
        }


def deploy(watch: Watch, step: Step, *, promote: bool, trial: Trial | None = None) -> Outcome:
    """Carry one step out.

    Args:
        watch: whom to ask and to tell.
        step: what was planned.
        promote: whether a healthy canary is promoted at once, and not tried.
        trial: how it is tried; None where it is not.

    Raises:
        StalePlan: the job is no longer what it was when it was planned.
        DeploymentFailed: it did not get into service; the message says why.
    """
    name = step.job.name
    evaluation_id: str | None = None
    if step.action in {"create", "update"}:
        current, evaluation_id = submit(watch, step)
    else:
        current = unchanged(watch, step)
        if step.action == "none":
            watch.tell(Event(name, "unchanged", f"version {current.version} stays as it is"))
            return Outcome(name, "unchanged", current.version, step.previous)
        if step.action in {"rerun", "retry"}:
            current, evaluation_id = _restart(watch, step)
    if current.runs_once:
        version = batch.follow(watch, current, evaluation_id)
        return Outcome(name, "ran", version, step.previous)
    return follow_service(
        watch, current, evaluation_id, previous=step.previous, promote=promote, trial=trial
    )


def as_planned(watch: Watch, steps: Sequence[Step]) -> list[Step]:
    """Refuse a run of which one job has changed, before any other is touched.

    Returns:
        The steps, those of jobs whose counts alone were changed at their new index.

    Raises:
        StalePlan: a job is no longer what it was when it was planned.
    """
    return [_at_plan(watch, step)[0] for step in steps]


def _at_plan(watch: Watch, step: Step) -> tuple[Step, JobVersion | None]:
    """Return the step and the job's version now; see `as_planned`."""
    name = step.job.name
    current = watch.ask(name, watch.nomad.jobs.find, name)
    if (current.job_modify_index if current else 0) == step.index:
        return step, current
    found = scaled.since(watch.nomad, name, step.index) if current and step.index else None
    if found is None or not _keeps(watch, step, found):
        raise stale(watch.nomad, watch.environment, name, step.index)
    watch.tell(Event(name, "scaled", found.sentence()))
    now = found.current
    kept = replace(step, index=now.job_modify_index, previous=now.version, counts=found.now)
    return kept, now


def _keeps(watch: Watch, step: Step, found: scaled.Scaled) -> bool:
    """Tell whether a plan leaves the counts alone; one that sets a count wants another one."""
    if step.counts:
        return True  # found out before
    planned = watch.nomad.jobs.parse(step.job.hcl).get("TaskGroups") or ()
    return all(found.before.get(one["Name"], one["Count"]) == one["Count"] for one in planned)


def unchanged(watch: Watch, step: Step) -> JobVersion:
    """Return the job's version, if it is still the planned one."""
    _, current = _at_plan(watch, step)
    if current is None:
        raise stale(watch.nomad, watch.environment, step.job.name, step.index)
    return current


def submit(watch: Watch, step: Step) -> tuple[JobVersion, str]:
    """Register the spec at the planned index.

    Returns:
        The version that this made, and the id of its evaluation.

    Raises:
        StalePlan: the job is at another index.
    """
    spec = scaled.counted(watch.nomad.jobs.parse(step.job.hcl), step.counts)
    watch.guard()
    try:
        submitted = watch.nomad.jobs.register(spec, expected_index=step.index, source=step.job.hcl)
    except IndexConflict as error:
        again, _ = _at_plan(watch, step)
        if again == step:
            raise stale(watch.nomad, watch.environment, step.job.name, step.index) from error
        return submit(watch, again)
    current = version_at(watch, step.job.name, submitted.index)
    details = {"version": current.version, "evaluation": submitted.evaluation_id}
    text = f"version {current.version} submitted"
    watch.tell(Event(step.job.name, "submitted", text, details))
    return current, submitted.evaluation_id


def _restart(watch: Watch, step: Step) -> tuple[JobVersion, str]:
    """Stop a job that failed, and submit the same spec again.

    Nomad makes no second deployment for the same version, and reschedules a failed batch job only
    where its spec allows that; a changed spec would not be what was rendered.
    """
    name = step.job.name
    allocations = watch.ask(name, watch.nomad.allocations.of_job, name)
    if step.action == "retry" and any(one.live and one.healthy for one in allocations):
        raise DeploymentFailed(
            f"{name} is unchanged, and its deployment failed although some of it runs",
            hint=f"Change something, or stop it first (`nomad job stop {name}`) and run again.",
        )
    watch.tell(Event(name, "rerun", "it failed last time; stopping it to start it again"))
    end = watch.clock.now() + watch.deadline_s
    watch.guard()
    try:
        watch.evaluation(name, watch.nomad.jobs.stop(name), end)
    except OverdueError as error:
        raise DeploymentFailed(
            f"{name} could not be stopped within {watch.deadline_s:.0f} s"
        ) from error
    stopped = watch.ask(name, watch.nomad.jobs.get, name)
    return submit(watch, Step(step.job, stopped.job_modify_index, step.previous, step.action))


def follow_service(
    watch: Watch,
    current: JobVersion,
    evaluation_id: str | None,
    *,
    previous: int | None,
    promote: bool,
    trial: Trial | None = None,
) -> Outcome:
    """Follow a service from its evaluation until it is in service or its canary waits.

    Args:
        watch: whom to ask and to tell.
        current: the version to follow.
        evaluation_id: of its submission; None where that was in an earlier run.
        previous: the version before, for the outcome.
        promote: whether a healthy canary is promoted at once.
        trial: how it is tried before, unless it is promoted at once.
    """
    name = current.job_id
    if current.periodic:
        text = f"version {current.version} is what the schedule starts from now on"
        watch.tell(Event(name, "deployed", text))
        return Outcome(name, "deployed", current.version, previous)
    seen = Facts(name, current.version, current.spec)
    end = watch.clock.now() + watch.deadline_s
    evaluation = None
    try:
        evaluation_id = evaluation_id or pending_evaluation(watch, name)
        if evaluation_id:
            evaluation = watch.evaluation(name, evaluation_id, end)
        deployment = find_deployment(watch, current, evaluation)
        if deployment is None:
            return _without_deployment(watch, current, evaluation, seen, previous)
        if not promote and trial is not None:
            deployment = watch.deployment(deployment, seen, current, end, stop_at_canary=True)
            since = watch.clock.now()
            promote = trial.of(watch, seen, deployment)
            # The time that it took is not the job's.
            end += watch.clock.now() - since
        return _follow(watch, deployment, seen, current, end, previous, promote)
    except (OverdueError, BlockedError) as error:
        deployment = cut_short(watch, seen, _too_long(watch, error))
        return _in_service(watch, current, deployment, previous)


def _too_long(watch: Watch, error: OverdueError | BlockedError) -> str:
    if isinstance(error, BlockedError):
        return f"found no place for {watch.placement_s:.0f} s"
    return f"did not end within {watch.deadline_s:.0f} s"


def _without_deployment(
    watch: Watch,
    current: JobVersion,
    evaluation: Evaluation | None,
    seen: Facts,
    previous: int | None,
) -> Outcome:
    """Decide about a job for which Nomad makes no deployment, so that nobody waits for one."""
    from generator import placement

    name = current.job_id
    if evaluation is not None and evaluation.status != "complete":
        cause = f"could not be scheduled: {evaluation.description or evaluation.status}"
        raise given_up(watch, seen, cause)
    if evaluation is not None and evaluation.failed_placements:
        seen.placement = placement.explain(evaluation.failed_placements, current.spec)
        raise given_up(watch, seen, "can't be placed")
    if current.count == 0:
        text = f"version {current.version} asks for no allocation"
    else:
        text = f"version {current.version} is in place; Nomad makes no deployment for this change"
    watch.tell(Event(name, "deployed", text))
    return Outcome(name, "deployed", current.version, previous)


def _follow(
    watch: Watch,
    deployment: Deployment,
    seen: Facts,
    current: JobVersion,
    end: float,
    previous: int | None,
    promote: bool,
) -> Outcome:
    name, version = current.job_id, current.version
    deployment = watch.deployment(deployment, seen, current, end, stop_at_canary=True)
    while deployment.waits_for_promotion:
        if not promote:
            text = f"version {version}: the canary is healthy and waits to be promoted"
            watch.tell(Event(name, "canary", text, {"deployment": deployment.id}))
            return Outcome(name, "canary", version, previous, deployment.id)
        watch.guard()
        try:
            watch.nomad.deployments.promote(deployment.id)
            watch.tell(Event(name, "promoted", f"version {version} is promoted"))
        except PermissionRefused:
            raise
        except ServerUnreachable as error:
            # Judged ready, refused all the same: it changed in between, or a leader is elected.
            watch.tell(Event(name, "unreachable", f"{error.message}; looking again"))
            if watch.clock.now() >= end:
                raise OverdueError from error
            watch.clock.sleep(1)
        deployment = watch.deployment(deployment, seen, current, end, stop_at_canary=True)
    if deployment.status == "successful":
        return _in_service(watch, current, deployment, previous)
    raise failed(watch, seen)


def _in_service(
    watch: Watch, current: JobVersion, deployment: Deployment, previous: int | None
) -> Outcome:
    name, version = current.job_id, current.version
    text = f"version {version} is in service"
    watch.tell(Event(name, "deployed", text, {"deployment": deployment.id}))
    return Outcome(name, "deployed", version, previous, deployment.id)


def action_now(watch: Watch, current: JobVersion) -> Action:
    """Return what an unchanged job needs now; what a plan file says of that may be old."""
    name = current.job_id
    if current.type == "batch":
        from generator.plan import batch_action

        return batch_action(watch.nomad.allocations.of_job(name), current)
    return service_action(watch.nomad.deployments.of_job(name), current)
