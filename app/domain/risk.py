"""Whether an order may be accepted. The caps are hard: the database has the same constraints.

Nothing configures them. What a setting may do is to tighten them, never to loosen them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from app.domain.orders import Order
from flowrex.emergency import Level

# Units of the base; migrations/versions/0002_trading.py has the same numbers, and a test compares.
MAX_ORDER_QUANTITY = Decimal(1_000_000)
MAX_POSITION_QUANTITY = Decimal(5_000_000)

Rule = Literal["emergency", "no_exit", "order_cap", "position_cap"]


@dataclass(frozen=True)
class Refused:
    """Why an order is not accepted.

    Attributes:
        rule: which rule refuses.
        why: in a sentence.
    """

    rule: Rule
    why: str


@dataclass(frozen=True)
class Exposure:
    """What stands against an order of one instrument.

    Attributes:
        position: what is held; less than zero where it is sold short.
        resting: what open orders of the same side would add to it, above zero.
        resting_exits: the part of these that may only reduce it.
    """

    position: Decimal
    resting: Decimal = Decimal(0)
    resting_exits: Decimal = Decimal(0)


def forbidden(order: Order, level: Level) -> str:
    """Return why an emergency level forbids an order; empty where it does not.

    Whether an order that says so really reduces a position is `refusal`'s question.

    Args:
        order: what is wanted.
        level: what is stopped.
    """
    if level >= Level.HALT and not order.reduce_only:
        return f"at emergency level {level.word} only orders with reduce_only are accepted"
    if level >= Level.CANCEL and order.kind == "limit":
        return f"at emergency level {level.word} open orders are cancelled, so none is accepted"
    return ""


def reduces(order: Order, exposure: Exposure) -> bool:
    """Tell whether an order, with the exits that rest already, can only make a position smaller."""
    against = order.change * exposure.position < 0
    return against and order.quantity + exposure.resting_exits <= abs(exposure.position)


def refusal(order: Order, exposure: Exposure, level: Level) -> Refused | None:
    """Return why an order is refused, or None. The database asks the same again.

    Args:
        order: what is wanted.
        exposure: what stands against it.
        level: what is stopped.
    """
    if why := forbidden(order, level):
        return Refused("emergency", why)
    if order.quantity > MAX_ORDER_QUANTITY:
        return Refused("order_cap", f"an order may have at most {MAX_ORDER_QUANTITY} units")
    if order.reduce_only:
        if reduces(order, exposure):
            return None
        return Refused(
            "no_exit", f"it would not only reduce the position of {exposure.position:f} units"
        )
    side = Decimal(1) if order.side == "buy" else Decimal(-1)
    reached = exposure.position + order.change + side * exposure.resting
    if abs(reached) > MAX_POSITION_QUANTITY and abs(reached) > abs(exposure.position):
        return Refused(
            "position_cap", f"a position may reach at most {MAX_POSITION_QUANTITY} units"
        )
    return None
