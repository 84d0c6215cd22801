"""The emergency's lock in the database: anybody raises it, the worker alone lowers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from flowrex.emergency import Level
from flowrex.errors import FlowrexError
from flowrex.switch import GONE, State, moment

_TOO_OLD = "FX004"


class Outdated(FlowrexError):
    """The database was raised by a later state of the key than this one, or there is no key."""


@dataclass(frozen=True)
class Locked:
    """What the database holds.

    Attributes:
        level: what it refuses.
        index: the key's index that it follows.
        change: which change made it so; each is another emergency to the worker.
    """

    level: Level
    index: int
    change: int


async def locked(connection: Any) -> Locked:
    """Return what the database holds now."""
    row = await connection.fetchrow("SELECT level, index, change FROM trading.emergency")
    return Locked(Level(row["level"]), row["index"], row["change"])


async def raise_to(connection: Any, state: State, process: str) -> Level:
    """Raise the lock to what the key says; it is never lowered by this.

    Args:
        connection: to the database; the change waits for orders under way, and stands on return.
        state: what the process knows.
        process: its name, for the record.

    Returns:
        The level that holds now.
    """
    emergency = state.emergency
    return Level(
        await connection.fetchval(
            "SELECT trading.raise_emergency($1::smallint, $2, $3, $4, $5)",
            int(emergency.level),
            state.index,
            emergency.reason or emergency.problem,
            emergency.by,
            process,
        )
    )


async def lower_to(connection: Any, state: State, process: str) -> Level:
    """Lower the lock to what the key says.

    Args:
        connection: of a login that may.
        state: what the process knows.
        process: its name, for the record.

    Returns:
        The level that holds now.

    Raises:
        Outdated: the lock was raised by a later state of the key, or there is no key: that ends
            no emergency.
    """
    emergency = state.emergency
    if not state.written:
        raise Outdated(GONE)
    written = moment(emergency.at)
    try:
        level = await connection.fetchval(
            "SELECT trading.lower_emergency($1::smallint, $2, $3, $4, $5, $6)",
            int(emergency.level),
            state.index,
            None if written is None else datetime.fromtimestamp(written, UTC),
            emergency.reason,
            emergency.by,
            process,
        )
    except asyncpg.PostgresError as error:
        if error.sqlstate == _TOO_OLD:
            raise Outdated(str(error.message)) from error
        raise
    return Level(level)
