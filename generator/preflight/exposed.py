"""Stop `secrets`: none is in the project's files, in a rendered job or in a log."""

from __future__ import annotations

from flowrex.errors import NotFound
from generator import mask
from generator.checks.model import Finding, Ground, failed, passed

_STREAMS = ("stdout", "stderr")
_LOG_BYTES = 65536


def look(ground: Ground) -> Finding:
    """Look through the files that git keeps, what would be submitted, and what tasks wrote."""
    wrong = ground.secrets(ground.root)
    for job in ground.jobs:
        wrong += [
            f"{job.name}: line {number} of the rendered job"
            for number, line in enumerate(job.hcl.splitlines(), 1)
            if mask.shapes(line) != line
        ]
    logs = 0
    for job in ground.jobs:
        for allocation in ground.nomad.allocations.of_job(job.name):
            if not allocation.live:
                continue
            for task in allocation.tasks:
                for stream in _STREAMS:
                    logs += 1
                    if _shows_one(ground, allocation.id, task, stream):
                        wrong.append(f"{job.name}: {stream} of {allocation.short_id} {task}")
    if wrong:
        return failed(
            "Something looks like a secret", *wrong,
            hint="Replace it in Vault first: it counts as known to others. A line of a file that "
            "holds none may say so: `pragma: allowlist secret`.",
        )  # fmt: skip
    return passed(f"No secret in the project, {len(ground.jobs)} job specs and {logs} logs")


def _shows_one(ground: Ground, allocation_id: str, task: str, stream: str) -> bool:
    try:
        text = ground.nomad.allocations.tail(
            allocation_id, task, stream=stream, max_bytes=_LOG_BYTES
        )
    except NotFound:
        return False  # it wrote none yet
    return mask.shapes(text) != text
