"""What has to be done at the levels cancel and flatten, from what the book holds now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.orders import OpenOrder, Order, Position
from app.domain.risk import MAX_ORDER_QUANTITY
from flowrex.emergency import Level


@dataclass(frozen=True)
class Cancel:
    """Cancel an order that rests."""

    order_id: str
    symbol: str


@dataclass(frozen=True)
class Close:
    """Trade a position away, or as much of it as one order may."""

    order: Order


Step = Cancel | Close


def steps(
    level: Level, orders: Sequence[OpenOrder], positions: Sequence[Position]
) -> tuple[Step, ...]:
    """Return what is to be done now; nothing where the level is reached.

    Orders go first, since one that is filled later would open a position again, and since exits
    that rest count against what may be closed.

    Args:
        level: what is stopped.
        orders: those that rest.
        positions: what is held; those of nothing are passed over.
    """
    if level < Level.CANCEL:
        return ()
    if orders:
        return tuple(Cancel(order.id, order.symbol) for order in orders)
    if level < Level.FLATTEN:
        return ()
    return tuple(Close(closing(position)) for position in positions if position.quantity)


def closing(position: Position) -> Order:
    """Return the order that closes a position, or as much of it as one order may."""
    return Order(
        symbol=position.symbol,
        side="sell" if position.quantity > 0 else "buy",
        quantity=min(abs(position.quantity), MAX_ORDER_QUANTITY),
        reduce_only=True,
    )


def pause_s(refusals: int) -> float:
    """Return how long to wait after so many refused passes in a row, in seconds."""
    return float(min(0.25 * 2.0 ** min(refusals, 16), 10.0))
