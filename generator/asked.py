"""What a run was asked for: enough to go on with it after its process has died."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowrex.errors import UsageError
from generator.deploy import Step


@dataclass(frozen=True)
class Planned:
    """A job as it was planned.

    Attributes:
        sha256: of the spec that was to be submitted.
        index: the job's modify index then; 0: it was not there.
        version: its version then.
    """

    sha256: str
    index: int
    version: int | None


@dataclass(frozen=True)
class Asked:
    """What was typed, beside the environment's name.

    Attributes:
        settings: each `--set`.
        promote: whether healthy canaries are promoted at once.
        auto_promote: whether those are that were found good.
        skip_backup: why no backup is taken before.
        overrides: the hard stops that are not to stop.
        resumes: the run that this one goes on with.
        planned: the jobs, in the order of deployment.
    """

    settings: tuple[str, ...] = ()
    promote: bool = False
    auto_promote: bool = False
    skip_backup: str | None = None
    overrides: tuple[str, ...] = ()
    resumes: str | None = None
    planned: Mapping[str, Planned] | None = None

    def as_document(self) -> dict[str, Any]:
        """Return what a release's record keeps; the jobs are added when they are known."""
        return {
            "settings": list(self.settings),
            "promote": self.promote,
            "auto_promote": self.auto_promote,
            "skip_backup": self.skip_backup,
            "overrides": list(self.overrides),
        }


def planned(steps: Sequence[Step]) -> dict[str, Any]:
    """Return what a release's record keeps of the jobs that are to be deployed."""
    return {
        step.job.name: {"sha256": step.job.sha256, "index": step.index, "version": step.previous}
        for step in steps
    }


def read(document: Mapping[str, Any] | None, release_id: str) -> Asked:
    """Read what a record keeps.

    Args:
        document: of the record.
        release_id: whose.

    Raises:
        UsageError: the record does not say what was asked, or which jobs were planned.
    """
    try:
        if not document or not document["planned"]:
            raise KeyError("planned")
        return Asked(
            settings=tuple(str(one) for one in document["settings"]),
            promote=bool(document["promote"]),
            auto_promote=bool(document["auto_promote"]),
            skip_backup=document["skip_backup"],
            overrides=tuple(str(one) for one in document["overrides"]),
            resumes=release_id,
            planned={
                name: Planned(str(one["sha256"]), int(one["index"]), one["version"])
                for name, one in document["planned"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the record of {release_id} does not say what was to be deployed",
            hint="It had not begun with any job, or an earlier flowrexctl wrote it. "
            "`flowrexctl run ENV` deploys what is rendered now.",
        ) from error
