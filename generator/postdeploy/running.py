"""Check `running`: every job runs its newest version on as many instances as it wants."""

from __future__ import annotations

from generator.checks.model import Finding, Ground, failed, passed
from generator.standing import Standing, standings

_WELL = {"in service", "ran"}
_ON_SCHEDULE = {"scheduled", "running"}


def look(ground: Ground) -> Finding:
    """Ask Nomad for each job's deployment and allocations."""
    found = standings(ground.nomad, [job.name for job in ground.jobs])
    wrong = [line for one in found for line in _wrong(one)]
    seen = [
        f"{one.name}: version {one.current.version}"
        + (f" of {one.release}" if one.release else "")
        + f", {one.counts['running']} running"
        for one in found
        if one.current is not None
    ]
    if wrong:
        return failed(
            "Not everything that was deployed runs",
            *wrong,
            hint=f"flowrexctl status {ground.environment.name}",
        )
    return passed(f"{len(seen)} jobs run their newest version, and no other", *seen)


def _wrong(one: Standing) -> list[str]:
    current = one.current
    if current is None:
        return [f"{one.name}: it was never deployed"]
    if current.periodic:
        return [] if one.state in _ON_SCHEDULE else [f"{one.name}: it is {one.state}"]
    if current.type == "batch":
        return [] if one.state in _WELL else [f"{one.name}: it is {one.state}"]
    wrong = [] if one.state in _WELL or one.deployment is None else [f"{one.name}: {one.state}"]
    old = [each for each in one.allocations if each.live and each.job_version != current.version]
    if old:
        wrong.append(f"{one.name}: {len(old)} allocations of an older version still run")
    counts = one.counts
    if counts["running"] < counts["desired"]:
        wrong.append(f"{one.name}: {counts['running']} of {counts['desired']} run")
    return wrong
