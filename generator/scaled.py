"""A job whose count somebody changed since it was planned, and nothing else of it.

A person or an autoscaler may do that at any time. It takes nothing away from what was approved, so
that a plan is not stale by it: the count is kept, unless the plan itself changes that count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowrex.nomad import JobVersion, NomadClient
from generator.differ import changes, counts_only


@dataclass(frozen=True)
class Scaled:
    """What became of a job that was scaled.

    Attributes:
        current: its version now.
        before: group to its count when the job was planned.
        now: group to its count now.
    """

    current: JobVersion
    before: Mapping[str, int]
    now: Mapping[str, int]

    def sentence(self) -> str:
        """Return what is told."""
        groups = ", ".join(
            f"{'' if len(self.now) == 1 else f'of {name} '}{self.before[name]} → {count}"
            for name, count in self.now.items()
            if self.before[name] != count
        )
        return f"its count was changed since the plan was made, {groups}; it stays as it is now"


def since(nomad: NomadClient, name: str, index: int) -> Scaled | None:
    """Return how a job was scaled since it was planned; None where more than that was changed.

    Args:
        nomad: where the job is.
        name: the job.
        index: its modify index when it was planned.
    """
    versions, diffs = nomad.jobs.version_diffs(name)
    position = next((i for i, one in enumerate(versions) if one.job_modify_index == index), 0)
    if position == 0 or any(one.stop for one in versions[:position]):
        return None
    if not all(counts_only(changes(diff)) for diff in diffs[:position]):
        return None
    return Scaled(versions[0], _counts(versions[position]), _counts(versions[0]))


def _counts(version: JobVersion) -> dict[str, int]:
    return {group["Name"]: group["Count"] for group in version.groups}


def counted(spec: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, Any]:
    """Return a spec with other counts.

    Args:
        spec: as Nomad has parsed it.
        counts: group to count; other groups keep theirs.
    """
    groups = [
        {**group, "Count": counts.get(group["Name"], group["Count"])}
        for group in spec.get("TaskGroups") or ()
    ]
    return {**spec, "TaskGroups": groups}
