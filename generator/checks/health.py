"""Stop `health`: what runs has health checks, and they pass."""

from __future__ import annotations

from flowrex.nomad.model import consul_checks
from generator import facts, mask
from generator.canary import PASSING
from generator.checks.model import Finding, Ground, failed, passed

_OUTPUT = 200


def look(ground: Ground) -> Finding:
    """Ask Consul for the checks of every service that is deployed."""
    wrong: list[str] = []
    seen: list[str] = []
    for job in ground.jobs:
        current = ground.nomad.jobs.find(job.name)
        if job.kind == "batch" or current is None or current.stop or current.count == 0:
            continue
        declared = consul_checks(current)
        if not declared:
            wrong.append(f"{job.name}: no health check")
            continue
        checks = facts.consul_checks(ground.consul, declared)
        absent = {one.name for one in declared} - {one.name for one in checks}
        wrong += [f"{job.name}: the check {name} is registered nowhere" for name in sorted(absent)]
        wrong += [
            f"{job.name}: {one.name} of {one.service_id} is {one.status}: {_said(one.output)}"
            for one in checks
            if one.status != PASSING
        ]
        seen.append(f"{job.name}: {len(checks)} checks pass")
    if wrong:
        hint = f"flowrexctl status {ground.environment.name}"
        return failed("What runs is not healthy", *wrong, hint=hint)
    if not seen:
        return passed("Nothing is deployed yet")
    return passed("Everything that runs is healthy", *seen)


def _said(output: str) -> str:
    return mask.shapes(output.strip())[:_OUTPUT] or "it says nothing"
