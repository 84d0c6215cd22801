"""The paper book: what it holds, and the rows that an order adds to it.

Each function works in its caller's transaction. The triggers of migration 0002 ask again what the
application has decided; what they refuse comes back as `BookRefused`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg

from app.domain.orders import OpenOrder, Order, Position, Quote
from app.domain.risk import Exposure, Rule
from flowrex.emergency import Level
from flowrex.errors import FlowrexError

_RULES: dict[str, Rule] = {"FX001": "emergency", "FX002": "no_exit", "FX003": "position_cap"}
_CONSTRAINTS: dict[str, Rule] = {"order_cap": "order_cap", "position_cap": "position_cap"}

_ORDER = (
    "id::text, idempotency_key, actor, symbol, side, kind, quantity, limit_price, reduce_only,"
    " status, created_at, closed_at"
)
_FILLED = f"SELECT {_ORDER}, price FROM trading.orders LEFT JOIN (SELECT order_id, price FROM trading.trades) AS fill ON order_id = id"  # noqa: S608, E501 - constants


class BookRefused(FlowrexError):
    """A trigger or a constraint of the database refuses.

    Attributes:
        rule: which rule, in the words of `app.domain.risk`.
        level: the database's emergency level, where that is the rule.
    """

    def __init__(self, rule: Rule, message: str, level: Level = Level.NORMAL) -> None:
        super().__init__(message)
        self.rule = rule
        self.level = level


class KeyTaken(FlowrexError):
    """Another transaction has just used the same idempotency key."""


@dataclass(frozen=True)
class Book:
    """What is open: orders by time, and positions that are not of nothing, by symbol."""

    orders: tuple[OpenOrder, ...]
    positions: tuple[Position, ...]


async def quote(connection: Any, symbol: str) -> Quote | None:
    """Return the paper market's prices of an instrument, or None."""
    row = await connection.fetchrow(
        "SELECT bid, ask, tradable FROM trading.paper_quotes WHERE symbol = $1", symbol
    )
    return None if row is None else Quote(row["bid"], row["ask"], row["tradable"])


async def is_enabled(connection: Any, symbol: str) -> bool:
    """Tell whether there is such an instrument, and whether it may be traded."""
    return bool(
        await connection.fetchval(
            "SELECT enabled FROM trading.instruments WHERE symbol = $1", symbol
        )
    )


async def exposure(connection: Any, order: Order) -> Exposure:
    """Lock an instrument until the transaction ends, and return what stands against an order."""
    position = await connection.fetchval("SELECT trading.lock_position($1)", order.symbol)
    resting = await connection.fetchrow(
        "SELECT coalesce(sum(quantity), 0), coalesce(sum(quantity) FILTER (WHERE reduce_only), 0)"
        " FROM trading.orders WHERE symbol = $1 AND side = $2 AND status = 'open'",
        order.symbol,
        order.side,
    )
    return Exposure(position, resting[0], resting[1])


async def add(connection: Any, order: Order, key: str, actor: str) -> str:
    """Insert an order, open.

    Args:
        connection: in a transaction.
        order: what is wanted.
        key: its idempotency key.
        actor: who wants it.

    Returns:
        Its id.

    Raises:
        BookRefused: the database refuses it.
        KeyTaken: the key was used meanwhile.
    """
    with _refusals():
        return str(
            await connection.fetchval(
                "INSERT INTO trading.orders (idempotency_key, actor, symbol, side, kind, quantity,"
                " limit_price, reduce_only) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
                key,
                actor,
                order.symbol,
                order.side,
                order.kind,
                order.quantity,
                order.limit_price,
                order.reduce_only,
            )
        )


async def fill(connection: Any, order_id: str, price: Decimal) -> None:
    """Fill an open order as a whole; the position follows.

    Raises:
        BookRefused: the database refuses it.
    """
    with _refusals():
        await connection.execute(
            "INSERT INTO trading.trades (order_id, price) VALUES ($1::text::uuid, $2)",
            order_id,
            price,
        )


async def cancel(connection: Any, order_id: str) -> str | None:
    """Cancel an order.

    Returns:
        `cancelled`; `already` where it was; `filled` where it is too late; None where there is no
        such order.
    """
    outcome: str | None = await connection.fetchval(
        "SELECT trading.cancel_order($1::text::uuid)", order_id
    )
    return outcome


async def by_key(connection: Any, key: str) -> dict[str, Any] | None:
    """Return the order of an idempotency key, or None."""
    row = await connection.fetchrow(f"{_FILLED} WHERE idempotency_key = $1", key)
    return None if row is None else dict(row)


async def by_id(connection: Any, order_id: str) -> dict[str, Any] | None:
    """Return the order of an id, or None."""
    row = await connection.fetchrow(f"{_FILLED} WHERE id = $1::text::uuid", order_id)
    return None if row is None else dict(row)


async def newest(connection: Any, status: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest orders.

    Args:
        connection: to read on.
        status: only those; all where it is None.
        limit: how many at the most.
    """
    rows = await connection.fetch(
        f"{_FILLED} WHERE $1::text IS NULL OR status = $1 ORDER BY created_at DESC, id LIMIT $2",
        status,
        limit,
    )
    return [dict(row) for row in rows]


async def positions(connection: Any) -> list[dict[str, Any]]:
    """Return every position that is not of nothing, by symbol."""
    rows = await connection.fetch(
        "SELECT symbol, quantity, average_price, updated_at FROM trading.positions"
        " WHERE quantity <> 0 ORDER BY symbol"
    )
    return [dict(row) for row in rows]


async def read(connection: Any) -> Book:
    """Return what is open now."""
    orders = await connection.fetch(
        "SELECT id::text, symbol, side, quantity, reduce_only FROM trading.orders"
        " WHERE status = 'open' ORDER BY created_at, id"
    )
    held = await positions(connection)
    return Book(
        tuple(OpenOrder(**dict(row)) for row in orders),
        tuple(Position(row["symbol"], row["quantity"]) for row in held),
    )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise KeyTaken("this idempotency key is in use") from error
    except asyncpg.CheckViolationError as error:
        if (rule := _CONSTRAINTS.get(error.constraint_name or "")) is None:
            raise
        raise BookRefused(rule, f"the database refuses it: {rule}") from error
    except asyncpg.PostgresError as error:
        if (rule := _RULES.get(error.sqlstate or "")) is None:
            raise
        level = Level(int(error.detail)) if rule == "emergency" else Level.NORMAL
        raise BookRefused(rule, f"the database refuses it: {error.message}", level) from error
