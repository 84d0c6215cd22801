"""How long work is watched by whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from agents.backup.psql import Tick
from agents.context import Context
from agents.requests.handler import Handler, Progress
from agents.requests.telling import Telling
from flowrex.node_requests import Request

Say = Callable[[str], None]
Work = TypeVar("Work")


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


def handler(
    make: Callable[[Context], Work],
    act: Callable[[Work, Mapping[str, str], Hands], Mapping[str, Any]],
) -> Handler:
    """Return what does a kind of request by a function of its arguments and hands.

    Args:
        make: makes what is worked on of the agent's surroundings.
        act: does it, and returns the result.
    """

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        return act(make(context), request.arguments, hands_of(request, progress))

    return handle
