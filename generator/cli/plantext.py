"""The colours of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from generator.planview import Line, Tone

_STYLES: dict[Tone, dict[str, Any]] = {
    "title": {"bold": True},
    "added": {"fg": "green"},
    "deleted": {"fg": "red"},
    "edited": {"fg": "yellow"},
    "warning": {"fg": "magenta"},
    "plain": {},
}


def styled(lines: Sequence[Line]) -> str:
    """Return the lines as one text with colours; the printing drops them where they don't show."""
    return "\n".join(click.style(line.text, **_STYLES[line.tone]) for line in lines)
