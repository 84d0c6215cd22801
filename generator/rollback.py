"""Back to an earlier version: which one, and the way there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flowrex.errors import DeploymentFailed, ServerRefused, UsageError
from flowrex.nomad import IndexConflict, JobVersion
from generator import keeping, release
from generator.deploy import Outcome, follow_service
from generator.promote import fail_deployment
from generator.run import under_lock
from generator.setup import Setup
from generator.stale import stale
from generator.standing import Standing, release_of, standings
from generator.trace import version_at
from generator.watch import Event, Watch

# A job and the version that it is to go back to; None: its canary is given up.
Target = tuple[Standing, JobVersion | None]

# What Nomad changes in a job by itself, and what says nothing about what runs.
_VOLATILE = {
    "Version",
    "VersionTag",
    "Stable",
    "Status",
    "StatusDescription",
    "Stop",
    "SubmitTime",
    "CreateIndex",
    "ModifyIndex",
    "JobModifyIndex",
    "NomadTokenID",
    "ConsulNamespace",
    "VaultNamespace",
}


def fingerprint(spec: Mapping[str, Any], *, counts: bool = False) -> str:
    """Return a text that is the same for two versions that run the same.

    Args:
        spec: of a version.
        counts: whether how many allocations it wants counts; who scales a job changes that alone.
    """
    kept = {name: value for name, value in spec.items() if name not in _VOLATILE}
    if not counts and "TaskGroups" in kept:
        kept["TaskGroups"] = [{**group, "Count": None} for group in kept["TaskGroups"] or ()]
    return json.dumps(_settled(kept), sort_keys=True)


def _settled(value: Any) -> Any:
    """Take out what a revert repeats: Nomad adds its implied constraints to the kept ones again."""
    if isinstance(value, list):
        return [_settled(one) for one in value]
    if not isinstance(value, dict):
        return value
    settled = {name: _settled(one) for name, one in value.items()}
    if isinstance(constraints := settled.get("Constraints"), list):
        once = {json.dumps(one, sort_keys=True) for one in constraints}
        settled["Constraints"] = sorted(once)
    return settled


def last_healthy(versions: Sequence[JobVersion]) -> JobVersion | None:
    """Return the version that a rollback without an argument goes to.

    It is the newest version that Nomad found stable, is older than the current one and runs
    something else. Where the current version is itself a return to an earlier one, the search
    goes on from that one, so that a second rollback goes further back and not forth again.

    Args:
        versions: of one job, the newest first.
    """
    if not versions:
        return None
    now = fingerprint(versions[0].spec)
    origin = min(one.version for one in versions if fingerprint(one.spec) == now)
    older = [one for one in versions if one.version < origin and one.proven and not one.stop]
    return max(older, key=lambda one: one.version, default=None)


def named(versions: Sequence[JobVersion], to: str) -> JobVersion | None:
    """Return the version that a person names: by its number, its tag or its release.

    Args:
        versions: of one job, the newest first.
        to: what was typed.
    """
    # Going back to a version that was made by stopping the job would stop it again.
    versions = [one for one in versions if not one.stop]
    if to.isdecimal():
        return next((one for one in versions if one.version == int(to)), None)
    tagged = next((one for one in versions if one.tag == to), None)
    of_release = [one for one in versions if release_of(one) == to and one.proven]
    return tagged or next(iter(of_release), None)


def services(setup: Setup, names: Sequence[str]) -> list[Standing]:
    """Return how the jobs stand that can be rolled back: those that are there and run on.

    Raises:
        UsageError: there is none.
    """
    found = [
        one
        for one in standings(setup.nomad, names)
        if one.current is not None and not one.current.runs_once
    ]
    if not found:
        raise UsageError(f"{', '.join(names)}: nothing is deployed that could be rolled back")
    return found


def choose(setup: Setup, names: Sequence[str], *, to: str | None, chosen: bool) -> list[Target]:
    """Find out what a rollback of single jobs goes back to.

    Args:
        setup: whom to ask.
        names: the services to look at, in the order of deployment.
        to: a version's number, tag or release; None: the last one that was healthy.
        chosen: whether the person named the jobs.

    Raises:
        UsageError: there is no such version, or no earlier one that was healthy.
    """
    found = services(setup, names)
    return _to_named(setup, found, to, chosen=chosen) if to else _to_healthy(setup, found, chosen)


def go_back(
    setup: Setup, targets: Sequence[Target], version: str | None, *, release_id: str | None = None
) -> list[Outcome]:
    """Bring each job to its target, in the reverse of the order of deployment.

    Args:
        setup: whom to ask and to tell.
        targets: in the order of deployment.
        version: the application's version that this comes to, for the record.
        release_id: the release that this goes back to, for the record.

    Returns:
        What became of each job.
    """
    with under_lock(setup, "rollback", version, back_to=release_id) as (watch, recorder):
        outcomes = []
        for standing, target in reversed(targets):
            outcomes.append(_roll_back(watch, standing, target))
            keeping.note(watch, recorder, outcomes[-1])
    return outcomes


def _to_healthy(setup: Setup, found: Sequence[Standing], chosen: bool) -> list[Target]:
    """Choose what to roll back, and to which version, where no version was named."""
    pending = [one for one in found if one.canary_waits]
    if pending:
        # The stable version still runs beside the canary: giving the canary up is the way back.
        return [(one, None) for one in pending]
    if not chosen:
        found = _of_last_release(setup, found)
    targets: list[Target] = [(one, last_healthy(one.versions)) for one in found]
    for standing, version in targets:
        if version is None:
            raise UsageError(
                f"{standing.name} has no earlier version that was healthy",
                hint=_known(standing),
            )
    return targets


def _of_last_release(setup: Setup, found: Sequence[Standing]) -> Sequence[Standing]:
    """Keep the services that the last release changed and that still run what it left."""
    by_name = {one.name: one for one in found}
    for record in release.history(setup.consul, setup.environment.name):
        changed = {
            name: job.get("version")
            for name, job in record.jobs.items()
            if name in by_name and job.get("result") in {"deployed", "canary", "reverted"}
        }
        if changed:
            still = [one for one in found if _still(one, changed.get(one.name))]
            if still:
                return still
            break
    # Nothing that is recorded fits: the job that was changed last is the one that is meant.
    return [max(found, key=_index)]


def _still(standing: Standing, number: object) -> bool:
    """Whether a job is at a version, or at one that runs the same, as after a failed release."""
    there = next((one for one in standing.versions if one.version == number), None)
    return there is not None and runs(standing, there)


def _index(standing: Standing) -> int:
    assert standing.current is not None
    return standing.current.job_modify_index


def _to_named(setup: Setup, found: Sequence[Standing], to: str, *, chosen: bool) -> list[Target]:
    if to.isdecimal() and not chosen and len(found) > 1:
        raise UsageError(
            f"{to} may be a version of {' or of '.join(one.name for one in found)}",
            hint=f"Name the job: flowrexctl rollback {setup.environment.name} {found[0].name} "
            f"--to {to}",
        )
    targets = [(one, named(one.versions, to)) for one in found]
    missing = [one for one, version in targets if version is None]
    if missing and (chosen or len(missing) == len(targets)):
        raise UsageError(
            f"{missing[0].name} has no version, tag or release {to!r}", hint=_known(missing[0])
        )
    wanted: list[Target] = [
        (one, version)
        for one, version in targets
        if version is not None and not runs(one, version, counts=True)
    ]
    if not wanted:
        raise UsageError(
            f"{to!r} is what runs already", hint=f"flowrexctl status {setup.environment.name}"
        )
    return wanted


def runs(standing: Standing, version: JobVersion, *, counts: bool = False) -> bool:
    """Tell whether a job runs a version, or one that is the same; see `fingerprint`."""
    current = standing.current
    return (
        current is not None
        and not current.stop
        and not standing.canary_waits
        and fingerprint(current.spec, counts=counts) == fingerprint(version.spec, counts=counts)
    )


def _known(standing: Standing) -> str:
    def describe(one: JobVersion) -> str:
        health = "healthy" if one.proven else "never healthy"
        names = [one.tag or release_of(one) or "", "stopped" if one.stop else health]
        return f"{one.version} ({', '.join(name for name in names if name)})"

    return "Nomad has: " + ", ".join(describe(one) for one in standing.versions[:10])


def _roll_back(watch: Watch, standing: Standing, target: JobVersion | None) -> Outcome:
    name, current = standing.name, standing.current
    assert current is not None
    if target is None:
        outcome = fail_deployment(watch, standing)
        if outcome.result == "given-up":
            raise DeploymentFailed(
                f"{name} version {current.version} was given up, and there is no stable version "
                "that Nomad could go back to; what runs stays as it is",
                hint=_known(standing),
            )
        return outcome
    watch.tell(
        Event(name, "rollback", f"version {current.version} → version {target.version}, again")
    )
    watch.guard()
    try:
        submitted = watch.nomad.jobs.revert(name, target.version, current=current.version)
    except IndexConflict as error:
        raise stale(watch.nomad, watch.environment, name, current.job_modify_index) from error
    except ServerRefused as error:
        if "Current job has version" in error.message:
            raise stale(watch.nomad, watch.environment, name, current.job_modify_index) from error
        raise
    newest = version_at(watch, name, submitted.index)
    # Nomad makes a canary of a reverted version too; the person has asked for the whole way.
    outcome = follow_service(
        watch, newest, submitted.evaluation_id, previous=current.version, promote=True
    )
    return Outcome(name, "reverted", outcome.version, current.version, outcome.deployment)
