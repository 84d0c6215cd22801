"""What changed from one release to another, job by job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flowrex.nomad import JobVersion, NomadClient
from generator.differ import Change, changes
from generator.release import Release, Stand

State = Literal["same", "changed", "added", "removed"]


@dataclass(frozen=True)
class JobDifference:
    """One job in two releases.

    Attributes:
        job: its name.
        state: `added` where only the second release has it, `removed` where only the first has.
        left: the version that the first left, as its record says.
        right: the same of the second.
        changes: how the specs differ; None where Nomad has forgotten one of them.
    """

    job: str
    state: State
    left: Stand | None
    right: Stand | None
    changes: tuple[Change, ...] | None = ()


def compare(nomad: NomadClient, left: Release, right: Release) -> list[JobDifference]:
    """Compare the job versions that two releases left.

    Args:
        nomad: has their specs, for as long as it keeps them.
        left: the release that counts as the old one.
        right: the one that counts as new.
    """
    names = [*right.stands, *(name for name in left.stands if name not in right.stands)]
    return [_job(nomad, name, left.stands.get(name), right.stands.get(name)) for name in names]


def _job(nomad: NomadClient, name: str, left: Stand | None, right: Stand | None) -> JobDifference:
    if left is None or right is None:
        return JobDifference(name, "added" if left is None else "removed", left, right)
    if left["index"] == right["index"]:
        return JobDifference(name, "same", left, right)
    return JobDifference(name, "changed", left, right, between(nomad, name, left, right))


def between(nomad: NomadClient, name: str, left: Stand, right: Stand) -> tuple[Change, ...] | None:
    """Return how two versions of a job differ, or None where Nomad has forgotten one of them."""
    versions = nomad.jobs.versions(name) if nomad.jobs.find(name) is not None else []
    old, new = kept(versions, left), kept(versions, right)
    if old is None or new is None:
        return None
    listed, diffs = nomad.jobs.version_diffs(name, against=old.version)
    by_number = dict(zip((one.version for one in listed), diffs, strict=True))
    return changes(by_number[new.version])


def kept(versions: Sequence[JobVersion], stand: Stand) -> JobVersion | None:
    """Return a recorded version, if Nomad still has it.

    A job that was purged begins to count anew, so that the number alone says little.

    Args:
        versions: of the job, as Nomad has them.
        stand: what the record says of it.
    """
    return next((one for one in versions if one.job_modify_index == stand["index"]), None)


def documents(found: Sequence[JobDifference], shown: Any) -> list[dict[str, Any]]:
    """Return what `--json` prints of each job.

    Args:
        found: the differences.
        shown: lays a change out as a document.
    """
    return [
        {
            "job": one.job,
            "state": one.state,
            "left": one.left,
            "right": one.right,
            "changes": None if one.changes is None else [shown(change) for change in one.changes],
        }
        for one in found
    ]
