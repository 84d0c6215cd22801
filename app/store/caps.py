"""The hard caps as the database holds them: found in its catalog, and tried."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg

from app.domain.risk import MAX_ORDER_QUANTITY, MAX_POSITION_QUANTITY

_LEAST = Decimal("0.00000001")  # of a quantity in the database: numeric(20, 8)

# Constraint to its table and to what the code allows at most.
_CAPS = {
    "order_cap": ("trading.orders", MAX_ORDER_QUANTITY),
    "position_cap": ("trading.positions", MAX_POSITION_QUANTITY),
}
_CONSTRAINT = """\
SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = $1::text::regclass AND conname = $2 AND contype = 'c' AND convalidated
"""


@dataclass(frozen=True)
class Cap:
    """One hard cap.

    Attributes:
        name: the constraint's.
        code: what the code allows at most, in units of the base.
        definition: what the database checks; None where it has no such constraint.
        enforced: whether the database lets exactly as much pass as the code, and not a bit more.
    """

    name: str
    code: Decimal
    definition: str | None
    enforced: bool


async def caps(connection: Any) -> list[Cap]:
    """Return every cap, each tried on a quantity that may just pass and on one that may not.

    Args:
        connection: one that may read the catalog; nothing is written.
    """
    found = []
    for name, (table, most) in _CAPS.items():
        definition = await connection.fetchval(_CONSTRAINT, table, name)
        enforced = definition is not None and await _holds(connection, definition, most)
        found.append(Cap(name, most, definition, enforced))
    return found


async def _holds(connection: Any, definition: str, most: Decimal) -> bool:
    # The expression is the catalog's own, which only a migration can change.
    tried = f"SELECT ({definition}) FROM (VALUES ($1::numeric)) AS row (quantity)"  # noqa: S608
    try:
        return [await connection.fetchval(tried, each) for each in (most, most + _LEAST)] == [
            True,
            False,
        ]
    except asyncpg.PostgresError:
        return False  # it speaks of more than the quantity, so that it is not known to hold
