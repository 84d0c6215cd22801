"""How good the backups of a database are: the document at `flowrex/backups/<database>`.

The agent writes it, the deployer's hard stops and its `backup` verbs read it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flowrex.errors import ConfigurationError


@dataclass(frozen=True)
class BackupState:
    """What is known of a database's backups. Times are ISO 8601 with zone, "" for never.

    Attributes:
        database: which.
        node: whose agent says so.
        at: when it was written.
        count: how many there are.
        newest: the newest one's name.
        newest_at: the moment whose data it has.
        good: the newest one's that was read or restored and was right.
        good_at: the moment whose data that has.
        verified_at: when it was found right.
        drilled: the one that was restored last, whatever came of it.
        drilled_at: when.
        drill_good: whether it was right.
        problem: why the last attempt at a backup failed; "" where it did not.
    """

    database: str
    node: str
    at: str
    count: int = 0
    newest: str = ""
    newest_at: str = ""
    good: str = ""
    good_at: str = ""
    verified_at: str = ""
    drilled: str = ""
    drilled_at: str = ""
    drill_good: bool = False
    problem: str = ""

    def encode(self) -> str:
        """Return the document to write into Consul."""
        return json.dumps(asdict(self))

    def good_age_s(self, now: datetime) -> float | None:
        """Return how many seconds old the data of the newest good backup is; None: there is none.

        Args:
            now: the time, with its zone.
        """
        return (now - datetime.fromisoformat(self.good_at)).total_seconds() if self.good else None


def parse(key: str, value: bytes) -> BackupState:
    """Read the document.

    Args:
        key: where it stands, for the message.
        value: its bytes.

    Raises:
        ConfigurationError: it is none; then no backup may count as good.
    """
    try:
        document: dict[str, Any] = json.loads(value)
        state = BackupState(**document)
        for name in ("at", "newest_at", "good_at", "verified_at", "drilled_at"):
            written = getattr(state, name)
            if written and datetime.fromisoformat(written).tzinfo is None:
                raise ValueError(f"{name} has no time zone")
        if (state.good and not state.good_at) or not isinstance(state.drill_good, bool):
            raise ValueError("`good` has no time")
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"is no state of backups: {error}", path=key) from error
    return state
