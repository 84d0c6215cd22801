"""Where orders are filled. A broker answers or refuses; it decides nothing about risk."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol

from app.domain.orders import Order
from flowrex.errors import FlowrexError


class BrokerRefused(FlowrexError):
    """The broker does not take the order, now or at all."""


class Broker(Protocol):
    """One market to trade on."""

    async def price(self, connection: Any, order: Order) -> Decimal | None:
        """Return the price at which an order is filled as a whole, or None where it rests.

        Args:
            connection: the order's transaction.
            order: what is wanted.

        Raises:
            BrokerRefused: it is not taken.
        """
        ...
