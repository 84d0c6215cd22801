"""The backup of an emergency: the one that an operator may ask for, asked by the agent itself.

The nodes of a database all hear of the emergency, and one backup is wanted: a node that finds one
that is younger than the emergency, and was read again and right, has nothing to do.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agents.context import Context
from agents.emergency.steps import Backup
from agents.requests.handler import Handling
from flowrex import backup_state, keys
from flowrex.backup_state import BackupState
from flowrex.errors import ConfigurationError, ServerUnreachable
from flowrex.node_requests import Request, new_id


def through(handling: Handling, context: Context) -> Backup:
    """Return a function that takes a backup by the handler of operators' requests.

    Args:
        handling: of the kind `backup`.
        context: for the handler.
    """

    def take(reason: str, since: str) -> str:
        if name := taken(_state(context), since):
            return f"{name}, which another node took"
        now = context.clock.now()
        # The kind of a backup is `emergency`; which one it was of stays in `by`.
        asked = {"reason": "emergency"}
        request = Request(new_id(now), "backup", asked, reason, now.isoformat())
        return str(handling.handle(request, context, _nobody).get("name", ""))

    return take


def taken(state: BackupState | None, since: str) -> str:
    """Return the name of the newest good backup if its data is not older than `since`; else "".

    One that nobody has read yet, or that was found broken, is none to rely on.

    Args:
        state: of the database's backups; None where nothing is known.
        since: an ISO 8601 time with zone.
    """
    if state is None or not state.good:
        return ""
    young = datetime.fromisoformat(state.good_at) >= datetime.fromisoformat(since)
    return state.good if young else ""


def _state(context: Context) -> BackupState | None:
    key = keys.backups(context.settings.backup.postgres.database)
    try:
        entry = context.consul().kv_get(key)
        return backup_state.parse(key, entry.value) if entry else None
    except (ServerUnreachable, ConfigurationError):
        return None  # one backup too many is better than none


def _nobody(message: str, **result: Any) -> None:
    """Tell nobody: the emergency's own journal says how it ends."""
