"""Stop `secrets`: none is in the project's files, in a rendered job or in a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flowrex.errors import NotFound, PermissionRefused, ServerRefused
from flowrex.nomad import Allocation
from generator import mask, periodic
from generator.checks.model import Finding, Ground, failed, passed

_STREAMS = ("stdout", "stderr")
_LOG_BYTES = 65536


@dataclass
class _Logs:
    """What was seen of the logs: how many, how many are gone, and which show a secret."""

    read: int = 0
    gone: int = 0
    showing: list[str] = field(default_factory=list)


def look(ground: Ground) -> Finding:
    """Look through the files that git keeps, what would be submitted, and what tasks wrote."""
    wrong = ground.secrets(ground.root)
    for job in ground.jobs:
        if mask.shapes(job.hcl) != job.hcl:
            wrong += _lines(job.name, job.hcl)
    logs = _Logs()
    for job in ground.jobs:
        for allocation in _allocations(ground, job.name):
            for task in allocation.tasks:
                for stream in _STREAMS:
                    _read(ground, allocation, task, stream, logs)
    wrong += logs.showing
    if wrong:
        return failed(
            "Something looks like a secret", *wrong,
            hint="Replace it in Vault first: it counts as known to others. A line of a file that "
            "holds none may say so: `pragma: allowlist secret`. The log of an allocation that has "
            "ended goes with it: nomad system gc.",
        )  # fmt: skip
    gone = f"{logs.gone} logs of allocations that have ended are not there any more"
    return passed(
        f"No secret in the project, {len(ground.jobs)} job specs and {logs.read} logs",
        *([gone] if logs.gone else ()),
    )


def _lines(name: str, hcl: str) -> Iterator[str]:
    """Yield where a rendered job looks like a secret; one over several lines has no number."""
    numbers = [
        number for number, line in enumerate(hcl.splitlines(), 1) if mask.shapes(line) != line
    ]
    if not numbers:
        yield f"{name}: the rendered job"
    yield from (f"{name}: line {number} of the rendered job" for number in numbers)


def _allocations(ground: Ground, name: str) -> list[Allocation]:
    """Return a job's allocations, ended ones and those of its schedule's starts, too."""
    return ground.nomad.allocations.of_job(name) + periodic.runs(ground.nomad, name)


def _read(ground: Ground, allocation: Allocation, task: str, stream: str, logs: _Logs) -> None:
    try:
        text = ground.nomad.allocations.tail(
            allocation.id, task, stream=stream, max_bytes=_LOG_BYTES
        )
    except NotFound:
        # One that runs wrote none yet; one that has ended is forgotten by its node.
        logs.gone += not allocation.live
        return
    except PermissionRefused:
        raise
    except ServerRefused:
        if allocation.live:
            raise
        logs.gone += 1  # its node is away or gone
        return
    logs.read += 1
    if mask.shapes(text) != text:
        job = allocation.job_id
        logs.showing.append(f"{job}: {stream} of {allocation.short_id} {task}")
