"""A job as the Nomad in memory keeps it, and how two of its versions differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowrex.nomad.model import Allocation, Deployment, Evaluation, JobVersion

Spec = Mapping[str, Any]
# Nomad's job_tracked_versions.
_KEPT = 6


@dataclass
class Job:
    """Everything that Nomad knows of one job, the oldest first."""

    versions: list[JobVersion] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)

    @property
    def current(self) -> JobVersion:
        """The newest version."""
        return self.versions[-1]


def forget(job: Job) -> None:
    """Let go of the oldest version without a tag, where there are more than Nomad keeps."""
    untagged = [one for one in job.versions if one.tag is None]
    if len(untagged) > _KEPT:
        stable = [one for one in untagged if one.stable]
        oldest, next_oldest = untagged[:2]
        spared = stable and stable[-1] is oldest
        job.versions.remove(next_oldest if spared else oldest)


def behaviour(version: JobVersion) -> str:
    """Return how a version is to behave."""
    return str((version.spec.get("Meta") or {}).get("behaviour", ""))


def differs(job: Job) -> bool:
    """Whether the newest version runs something else than what is running."""
    running = {one.job_version for one in job.allocations if one.live}
    return any(
        _uncounted(job.current) != _uncounted(one)
        or job.current.spec.get("Meta") != one.spec.get("Meta")
        for one in job.versions
        if one.version in running
    )


def _uncounted(version: JobVersion) -> list[Spec]:
    return [
        {name: one for name, one in group.items() if name != "Count"} for group in version.groups
    ]
