"""One job's way into service: submit what was planned, find its deployment, follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from flowrex.errors import DeploymentFailed, ServerUnreachable, StalePlan
from flowrex.nomad import Deployment, Evaluation, IndexConflict, JobVersion, NomadClient
from generator import batch, diagnose
from generator.differ import changes
from generator.facts import Facts, collect_logs
from generator.plan import Action, service_action
from generator.render import RenderedJob
from generator.watch import BlockedError, Event, OverdueError, Watch

# `pending` was not begun; `reverted` is the stable version again after a failure or a rollback.
Result = Literal["deployed", "canary", "unchanged", "ran", "pending", "reverted"]
_STALE_CHANGES = 5
_REVERT_S = 15.0


@dataclass(frozen=True)
class Step:
    """One job of a run.

    Attributes:
        job: the spec.
        index: the modify index that the job must have; 0: it must not exist.
        previous: the version that was current at that index.
        action: what to do, as planned.
    """

    job: RenderedJob
    index: int
    previous: int | None
    action: Action


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


def deploy(watch: Watch, step: Step, *, promote: bool) -> Outcome:
    """Carry one step out.

    Args:
        watch: whom to ask and to tell.
        step: what was planned.
        promote: whether a healthy canary is promoted at once.

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
    if current.type == "batch":
        version = batch.follow(watch, current, evaluation_id)
        return Outcome(name, "ran", version, step.previous)
    return follow_service(watch, current, evaluation_id, previous=step.previous, promote=promote)


def unchanged(watch: Watch, step: Step) -> JobVersion:
    """Return the job's version, if it is still the planned one."""
    name = step.job.name
    current = watch.ask(name, watch.nomad.jobs.find, name)
    if current is None or current.job_modify_index != step.index:
        raise stale(watch.nomad, watch.environment, name, step.index)
    return current


def version_at(watch: Watch, name: str, index: int) -> JobVersion:
    """Return the version that a submission made, also where somebody has made another since."""
    current = watch.ask(name, watch.nomad.jobs.get, name)
    if current.job_modify_index == index:
        return current
    versions = watch.ask(name, watch.nomad.jobs.versions, name)
    return next((one for one in versions if one.job_modify_index == index), current)


def submit(watch: Watch, step: Step) -> tuple[JobVersion, str]:
    """Register the spec at the planned index.

    Returns:
        The version that this made, and the id of its evaluation.

    Raises:
        StalePlan: the job is at another index.
    """
    spec = watch.nomad.jobs.parse(step.job.hcl)
    try:
        submitted = watch.nomad.jobs.register(spec, expected_index=step.index, source=step.job.hcl)
    except IndexConflict as error:
        raise stale(watch.nomad, watch.environment, step.job.name, step.index) from error
    current = version_at(watch, step.job.name, submitted.index)
    details = {"version": current.version, "evaluation": submitted.evaluation_id}
    text = f"version {current.version} submitted"
    watch.tell(Event(step.job.name, "submitted", text, details))
    return current, submitted.evaluation_id


def stale(nomad: NomadClient, environment: str, name: str, index: int) -> StalePlan:
    """Return the error that says what became of a job since it was planned.

    Args:
        nomad: where the job is.
        environment: its name, for the command.
        name: the job.
        index: the job's modify index when it was planned.
    """
    hint = f"See what a run would change now: flowrexctl plan {environment}"
    current = nomad.jobs.find(name)
    if current is None:
        return StalePlan(f"{name} was removed from Nomad since the plan was made", hint=hint)
    at = f"version {current.version}, submitted {current.submitted:%Y-%m-%d %H:%M:%S} UTC"
    if index == 0:
        return StalePlan(f"{name} did not exist when it was planned; now it is {at}", hint=hint)
    versions, diffs = nomad.jobs.version_diffs(name)
    then = next((one for one in versions if one.job_modify_index == index), None)
    was = "" if then is None else f" was version {then.version} and"
    text = f"{name} was changed since the plan was made: it{was} is now {at}"
    since = [
        f"  {change.label}: {' → '.join(repr(value) for value in change.shown())}"
        if not change.is_text
        else f"  {change.label}"
        for version, diff in zip(versions, diffs, strict=False)
        if then is not None and version.version > then.version
        for change in changes(diff)
    ]
    if len(since) > _STALE_CHANGES:
        since = [*since[:_STALE_CHANGES], f"  … and {len(since) - _STALE_CHANGES} more changes"]
    return StalePlan("\n".join([text, *since]), hint=hint)


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
) -> Outcome:
    """Follow a service from its evaluation until it is in service or its canary waits.

    Args:
        watch: whom to ask and to tell.
        current: the version to follow.
        evaluation_id: of its submission; None where that was in an earlier run.
        previous: the version before, for the outcome.
        promote: whether a healthy canary is promoted at once.
    """
    name = current.job_id
    seen = Facts(name, current.version)
    end = watch.clock.now() + watch.deadline_s
    evaluation = None
    try:
        evaluation_id = evaluation_id or _pending(watch, name)
        if evaluation_id:
            evaluation = watch.evaluation(name, evaluation_id, end)
        deployment = find_deployment(watch, current, evaluation)
        if deployment is None:
            return _without_deployment(watch, current, evaluation, seen, previous)
        return _follow(watch, deployment, seen, current, end, previous, promote)
    except OverdueError as error:
        raise given_up(watch, seen, f"did not end within {watch.deadline_s:.0f} s") from error
    except BlockedError as error:
        if seen.deployment is not None:
            watch.nomad.deployments.fail(seen.deployment.id)
            _see_revert(watch, seen, seen.deployment)
        cause = f"found no place for {watch.placement_s:.0f} s and was given up"
        raise given_up(watch, seen, cause) from error


def _pending(watch: Watch, name: str) -> str | None:
    """Return the evaluation that is still to make the deployment of a version made elsewhere.

    Nomad's way back to a stable version is such a one: the version is there before its deployment.
    """
    evaluations = watch.ask(name, watch.nomad.jobs.evaluations, name)
    return next((one.id for one in evaluations if one.status == "pending"), None)


def find_deployment(
    watch: Watch, current: JobVersion, evaluation: Evaluation | None
) -> Deployment | None:
    """Return the deployment of a version, or None where Nomad makes none for it."""
    name = current.job_id
    if evaluation is not None and evaluation.deployment_id:
        found = watch.ask(name, watch.nomad.deployments.get, evaluation.deployment_id)
        if found.job_version == current.version:
            return found
    deployments = watch.ask(name, watch.nomad.deployments.of_job, name)
    return next((one for one in deployments if one.job_version == current.version), None)


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
        seen.placement = placement.explain(evaluation.failed_placements)
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
        try:
            watch.nomad.deployments.promote(deployment.id)
            watch.tell(Event(name, "promoted", f"version {version} is promoted"))
        except ServerUnreachable as error:
            # Judged ready, refused all the same: it changed in between, or a leader is elected.
            watch.tell(Event(name, "unreachable", f"{error.message}; looking again"))
            watch.clock.sleep(1)
        deployment = watch.deployment(deployment, seen, current, end, stop_at_canary=True)
    if deployment.status == "successful":
        text = f"version {version} is in service"
        watch.tell(Event(name, "deployed", text, {"deployment": deployment.id}))
        return Outcome(name, "deployed", version, previous, deployment.id)
    raise failed(watch, seen)


def failed(watch: Watch, seen: Facts) -> DeploymentFailed:
    """Return the explanation of a deployment that Nomad ended."""
    deployment = seen.deployment
    assert deployment is not None
    watch.tell(Event(seen.job, "failed", deployment.description, {"deployment": deployment.id}))
    if deployment.status == "failed":
        _see_revert(watch, seen, deployment)
    return given_up(watch, seen, None)


def _see_revert(watch: Watch, seen: Facts, deployment: Deployment) -> None:
    if not any(group.auto_revert for group in deployment.groups.values()):
        return
    seen.reverted_to = reverted_to(watch, seen.job, seen.version)
    if seen.reverted_to is not None:
        text = f"Nomad went back to version {seen.reverted_to}"
        watch.tell(Event(seen.job, "reverted", text, {"version": seen.reverted_to}))


def given_up(watch: Watch, seen: Facts, cause: str | None) -> DeploymentFailed:
    """Collect what is still to be had and return the explanation."""
    collect_logs(watch.nomad, seen)
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


def action_now(watch: Watch, current: JobVersion) -> Action:
    """Return what an unchanged job needs now; what a plan file says of that may be old."""
    name = current.job_id
    if current.type == "batch":
        from generator.plan import batch_action

        return batch_action(watch.nomad.allocations.of_job(name), current)
    return service_action(watch.nomad.deployments.of_job(name), current)
