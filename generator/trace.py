"""From a change of a job to the version, the evaluation and the deployment that it made."""

from __future__ import annotations

from flowrex.nomad import Deployment, Evaluation, JobVersion
from generator.watch import Watch

# Others may be pending for minutes, as the one that is to replace a failed allocation.
_MAKING_DEPLOYMENTS = {"job-register", "deployment-watcher"}


def version_at(watch: Watch, name: str, index: int) -> JobVersion:
    """Return the version that a submission made, also where somebody has made another since."""
    current = watch.ask(name, watch.nomad.jobs.get, name)
    if current.job_modify_index == index:
        return current
    versions = watch.ask(name, watch.nomad.jobs.versions, name)
    return next((one for one in versions if one.job_modify_index == index), current)


def pending_evaluation(watch: Watch, name: str) -> str | None:
    """Return the evaluation that is still to make the deployment of a version made elsewhere.

    Nomad's way back to a stable version is such a one: the version is there before its deployment.
    """
    evaluations = watch.ask(name, watch.nomad.jobs.evaluations, name)
    return next(
        (
            one.id
            for one in evaluations
            if one.status == "pending" and one.triggered_by in _MAKING_DEPLOYMENTS
        ),
        None,
    )


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
