"""How checks look: a table, and below it what was found of those that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from flowrex.command import output

if TYPE_CHECKING:
    from generator.checks.model import Looked

_STYLES: dict[str, dict[str, Any]] = {
    "passed": {"fg": "green"},
    "failed": {"fg": "red", "bold": True},
    "unknown": {"fg": "red"},
    "overridden": {"fg": "yellow"},
    "off": {"dim": True},
}
_MOST_EVIDENCE = 10


def table(looked: Sequence[Looked], of: str, *, verbose: bool) -> str:
    """Lay the verdicts out, and below each that is not passed what was found.

    Args:
        looked: the checks.
        of: the heading of their names.
        verbose: whether what was looked at is shown also where it passed.
    """
    rows = [
        (one.check.name, click.style(one.verdict, **_STYLES[one.verdict]), one.text)
        for one in looked
    ]
    lines = [output.table(rows, (of, "VERDICT", "FOUND"))]
    for one in looked:
        if not (one.stops or (verbose and one.evidence)):
            continue
        lines += ["", f"{one.check.name} ({one.check.title}):"]
        lines += [f"  {line}" for line in one.evidence[:_MOST_EVIDENCE]]
        if (more := len(one.evidence) - _MOST_EVIDENCE) > 0:
            lines.append(f"  and {more} more: --json shows all")
        if one.hint:
            lines += [f"  → {line}" for line in one.hint.splitlines()]
    return "\n".join(lines)
