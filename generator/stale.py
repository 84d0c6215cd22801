"""What became of a job since it was planned."""

from __future__ import annotations

from flowrex.errors import StalePlan
from flowrex.nomad import NomadClient
from generator.differ import changes

_SHOWN = 5


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
    if len(since) > _SHOWN:
        since = [*since[:_SHOWN], f"  … and {len(since) - _SHOWN} more changes"]
    return StalePlan("\n".join([text, *since]), hint=hint)
