"""What can be traded, as the database has it."""

from __future__ import annotations

from typing import Any

import asyncpg

from app.store.pool import Database
from app.store.read import read

_COLUMNS = "symbol, name, asset_class, base, quote, price_precision, lot_size, enabled"
_ALL = f"SELECT {_COLUMNS} FROM trading.instruments ORDER BY symbol"  # noqa: S608 - constants
_ONE = f"SELECT {_COLUMNS} FROM trading.instruments WHERE symbol = $1"  # noqa: S608 - constants


async def all_instruments(database: Database) -> list[dict[str, Any]]:
    """Return every instrument, by symbol.

    Raises:
        DatabaseUnavailable: the database can't answer now.
    """
    rows = await read(database, lambda connection: connection.fetch(_ALL))
    return [_plain(row) for row in rows]


async def one_instrument(database: Database, symbol: str) -> dict[str, Any] | None:
    """Return the instrument of that symbol, or None.

    Raises:
        DatabaseUnavailable: the database can't answer now.
    """
    row = await read(database, lambda connection: connection.fetchrow(_ONE, symbol))
    return None if row is None else _plain(row)


def _plain(row: asyncpg.Record) -> dict[str, Any]:
    # A decimal as text keeps every digit; as a JSON number it would pass through a float.
    return {**dict(row), "lot_size": str(row["lot_size"])}
