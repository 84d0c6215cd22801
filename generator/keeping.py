"""The job versions that a release consists of, and the tags by which Nomad keeps them.

Nomad forgets all but a job's newest six versions; one with a tag stays. The newest version of a
release carries the release's name. An older one of the same name is called `<name>-v<version>` from
then on, and keeps its tag for as long as a release record names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from flowrex.consul import ConsulClient
from flowrex.errors import FlowrexError, ServerUnreachable
from flowrex.nomad import JobVersion, NomadClient
from generator import release
from generator.deploy import Outcome
from generator.recorder import Recorder
from generator.release import Stand
from generator.standing import release_of
from generator.watch import Event, Watch

# A canary is not in service yet, and one that was given up never will be.
_KEPT = {"deployed", "unchanged", "ran", "reverted"}
_OURS = "deployed by flowrexctl to "


def code_of(version: JobVersion) -> list[str]:
    """Return what code a version runs: its artifacts' checksums and its images' names."""
    found = set()
    for group in version.groups:
        for task in group.get("Tasks") or ():
            for artifact in task.get("Artifacts") or ():
                found.add((artifact.get("GetterOptions") or {}).get("checksum"))
            found.add((task.get("Config") or {}).get("image"))
    return sorted(str(one) for one in found if one)


def stand(version: JobVersion) -> Stand:
    """Return a version as a release's record names it."""
    return {
        "version": version.version,
        "index": version.job_modify_index,
        "release": release_of(version),
        "stable": version.stable,
        "code": code_of(version),
    }


def stands(nomad: NomadClient, names: Iterable[str]) -> dict[str, Stand]:
    """Return what there is of each job; nothing of those that are not there.

    Args:
        nomad: where the jobs are; one that does not answer knows none.
        names: the jobs.
    """
    found = {}
    with suppress(ServerUnreachable):
        for name in names:
            if (current := nomad.jobs.find(name)) is not None:
                found[name] = stand(current)
    return found


def note(watch: Watch, recorder: Recorder, outcome: Outcome, sha256: str | None = None) -> None:
    """Record what became of a job, and give its version the release's name.

    That a version can't be looked at or named is told, and no failure: the job is in service.

    Args:
        watch: whom to ask and to tell.
        recorder: keeps the record.
        outcome: what became of it.
        sha256: of the spec that was submitted.
    """
    try:
        versions = watch.nomad.jobs.versions(outcome.job)
    except FlowrexError as error:
        recorder.add(outcome, sha256)
        _untagged(watch, outcome, error)
        return
    there = next((one for one in versions if one.version == outcome.version), None)
    recorder.add(outcome, sha256, stand(there) if there else None)
    if there is not None and outcome.result in _KEPT:
        try:
            _tag(watch, versions, there, release_of(there) or recorder.record.version)
        except FlowrexError as error:
            _untagged(watch, outcome, error)


def _untagged(watch: Watch, outcome: Outcome, error: FlowrexError) -> None:
    text = f"version {outcome.version} got no tag: {error.message}"
    watch.tell(Event(outcome.job, "untagged", text))


def _tag(watch: Watch, versions: Sequence[JobVersion], there: JobVersion, name: str | None) -> None:
    # Scaling copies a version with its tag, so that more than one may have it.
    same = [one for one in versions if one.tag == name and one.version != there.version]
    if name is None or (there.tag is not None and not (there.tag == name and same)):
        return  # a person's tag keeps it as well
    description = f"{_OURS}{watch.environment}"
    jobs = watch.nomad.jobs
    for one in same:
        # Never without a tag, not for a moment: Nomad would forget it.
        jobs.tag(one.job_id, one.version, f"{name}-v{one.version}", description)
    jobs.tag(there.job_id, there.version, name, description)


def let_go(watch: Watch, consul: ConsulClient, names: Iterable[str]) -> None:
    """Take the tags away that this tool gave to versions which no record names any more.

    Args:
        watch: whom to ask.
        consul: where the records are.
        names: the jobs.
    """
    with suppress(ServerUnreachable):  # the next run does it
        records = release.history(consul, watch.environment)
        for name in names:
            named = {one.stands[name]["index"] for one in records if name in one.stands}
            # What a record of format 1 says of a version.
            numbers = {one.jobs[name].get("version") for one in records if name in one.jobs}
            for version in watch.nomad.jobs.versions(name)[1:]:
                kept = version.job_modify_index in named or version.version in numbers
                if version.tag and _ours(version) and not kept:
                    watch.nomad.jobs.untag(name, version.tag)


def _ours(version: JobVersion) -> bool:
    tag = version.spec.get("VersionTag") or {}
    return str(tag.get("Description") or "").startswith(_OURS)
