"""The paper market: fills at the prices that the database holds, while it is open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from app.brokers import BrokerRefused
from app.domain.orders import Order, fill_price
from app.store.book import quote


class PaperBroker:
    """Fills a whole order or none of it."""

    async def price(self, connection: Any, order: Order) -> Decimal | None:
        """Return the price, or None where the order rests.

        Args:
            connection: the order's transaction.
            order: what is wanted.

        Raises:
            BrokerRefused: the market is closed, or has no such instrument.
        """
        found = await quote(connection, order.symbol)
        if found is None:
            raise BrokerRefused(f"the paper market has no {order.symbol}")
        if not found.tradable:
            raise BrokerRefused(f"the paper market for {order.symbol} is closed")
        return fill_price(order, found)
