"""How long work is watched by whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agents.backup.psql import Tick
from agents.requests.handler import Progress
from agents.requests.telling import Telling
from flowrex.node_requests import Request

Say = Callable[[str], None]


def _nothing(message: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Hands:
    """How long work is watched.

    Attributes:
        tick: called at least every second or so; what it raises ends the work.
        say: told in sentences how far it is.
        by: who asks, for the records.
    """

    tick: Tick = lambda: None
    say: Say = _nothing
    by: str = ""


def hands_of(request: Request, progress: Progress) -> Hands:
    """Return the hands of an operator's request.

    Args:
        request: what is asked, and by whom.
        progress: hears how far it is.
    """
    telling = Telling(progress, f"{request.kind} is under way")
    return Hands(tick=telling.tick, say=telling.say, by=request.by)
