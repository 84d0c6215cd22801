"""Stop `limits`: every task has its CPU and memory, and a limit."""

from __future__ import annotations

from generator.checks.model import Finding, Ground, failed, passed
from generator.lint import LIMITS, lint


def look(ground: Ground) -> Finding:
    """Look at every task of the job specs that would be submitted."""
    wrong = [str(one) for job in ground.jobs for one in lint(job) if one.rule == LIMITS]
    if wrong:
        return failed(
            "Not every task has limits", *wrong, hint="Set them in its job's template in jobs/."
        )
    names = ", ".join(job.name for job in ground.jobs)
    return passed(f"Every task of {len(ground.jobs)} jobs has limits", names)
