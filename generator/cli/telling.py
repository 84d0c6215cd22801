"""How a plan and a run look: colours, one line an event, one rewritten line on a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from flowrex.command import output

if TYPE_CHECKING:
    from generator.deploy import Outcome
    from generator.planview import Line
    from generator.watch import Event

_STYLES: dict[str, dict[str, Any]] = {
    "title": {"bold": True},
    "added": {"fg": "green"},
    "deleted": {"fg": "red"},
    "edited": {"fg": "yellow"},
    "warning": {"fg": "magenta"},
    "plain": {},
}
_EVENTS: dict[str, dict[str, Any]] = {
    "deployed": {"fg": "green"},
    "ran": {"fg": "green"},
    "canary": {"fg": "green", "bold": True},
    "blocked": {"fg": "magenta"},
    "unreachable": {"fg": "magenta"},
    "revision": {"fg": "yellow"},
    "uncompared": {"fg": "yellow"},
    "unrecorded": {"fg": "magenta"},
    "failed": {"fg": "red"},
    "analysis": {"fg": "cyan"},
    "stop-failed": {"fg": "red"},
    "stop-unknown": {"fg": "red"},
    "stop-overridden": {"fg": "yellow"},
    "reverted": {"fg": "yellow"},
    "given-up": {"fg": "yellow"},
    "check-failed": {"fg": "red"},
    "check-unknown": {"fg": "red"},
    "hook-failed": {"fg": "red"},
    "notify-failed": {"fg": "yellow"},
}
_PASSING = {"progress", "task"}


def styled(lines: Sequence[Line]) -> str:
    """Return a plan's lines as one text with colours; printing drops them where they don't show."""
    return "\n".join(click.style(line.text, **_STYLES[line.tone]) for line in lines)


class Teller:
    """Tells a person what happens: one line an event, and on a terminal one line that moves.

    Several threads may tell at the same time, each of its own job.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._progress = output.Progress()
        self._moving: dict[str, str] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Tell one event, on standard error."""
        about = f"{event.job}: " if event.job else ""
        with self._lock:
            if self._terminal and event.what in _PASSING:
                self._moving[event.job] = f"{about}{event.text}"
            else:
                self._moving.pop(event.job, None)
                self._progress.clear()
                text = click.style(f"{about}{event.text}", **_EVENTS.get(event.what, {}))
                output.say(text if self._terminal else f"{datetime.now():%H:%M:%S} {text}")
            if self._moving:
                self._progress("   ".join(self._moving.values()))

    def clear(self) -> None:
        """Remove the line that moves."""
        with self._lock:
            self._moving.clear()
            self._progress.clear()


def outcomes_table(outcomes: Sequence[Outcome]) -> str:
    """Lay out what became of each job."""
    rows = [(one.job, one.result, "-" if one.version is None else one.version) for one in outcomes]
    return output.table(rows, ("JOB", "RESULT", "VERSION"))


def outcomes_document(environment: str, outcomes: Sequence[Outcome]) -> Mapping[str, Any]:
    """Return what a changing verb prints with --json."""
    return {
        "environment": environment,
        "jobs": [outcome.as_document() for outcome in outcomes],
    }
