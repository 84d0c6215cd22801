"""The backup of an emergency: the one that an operator may ask for, asked by the agent itself."""

from __future__ import annotations

from typing import Any

from agents.context import Context
from agents.emergency.steps import Backup
from agents.requests.handler import Handling
from flowrex.node_requests import Request, new_id


def through(handling: Handling, context: Context) -> Backup:
    """Return a function that takes a backup by the handler of operators' requests.

    Args:
        handling: of the kind `backup`.
        context: for the handler.
    """

    def take(reason: str) -> str:
        now = context.clock.now()
        # The kind of a backup is `emergency`; which one it was of stays in `by`.
        asked = {"reason": "emergency"}
        request = Request(new_id(now), "backup", asked, reason, now.isoformat())
        return str(handling.handle(request, context, _nobody).get("name", ""))

    return take


def _nobody(message: str, **result: Any) -> None:
    """Tell nobody: the emergency's own journal says how it ends."""
