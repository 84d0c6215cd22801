"""The order path: from a request to rows in the book, with the switch asked at the last moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from app.brokers import Broker, BrokerRefused
from app.domain import risk
from app.domain.orders import Order
from app.metrics import Metrics
from app.store import book
from app.store.pool import Database
from app.store.write import transaction
from flowrex.emergency import Level
from flowrex.errors import FlowrexError
from flowrex.switch import State

Place = Literal["api", "order_path", "database", "broker"]


class OrderRefused(FlowrexError):
    """An order is not accepted.

    Attributes:
        place: which lock, or whose rule.
        rule: `emergency`, one of the risk rules, or `market`.
        level: the emergency level, where that is why.
    """

    def __init__(self, place: Place, rule: str, why: str, level: Level = Level.NORMAL) -> None:
        super().__init__(why)
        self.place = place
        self.rule = rule
        self.level = level


class UnknownInstrument(FlowrexError):
    """There is no such instrument, or it is not traded."""


class KeyReused(FlowrexError):
    """The idempotency key belongs to another order."""


@dataclass(frozen=True)
class Placed:
    """An order that is in the book.

    Attributes:
        row: its row, with `price` where it was filled.
        replayed: whether it was there already, by an earlier request with the same key.
    """

    row: dict[str, Any]
    replayed: bool


def check(state: State, order: Order, place: Place) -> None:
    """Refuse an order that the emergency forbids.

    Raises:
        OrderRefused: it does.
    """
    if why := risk.forbidden(order, state.level):
        raise OrderRefused(place, "emergency", f"{why}; {state.why}", state.level)


class Trading:
    """Places and cancels orders."""

    def __init__(
        self, database: Database, broker: Broker, switch: Callable[[], State], metrics: Metrics
    ) -> None:
        """Remember the parts.

        Args:
            database: the book.
            broker: fills.
            switch: the kill switch, as this process knows it.
            metrics: what is counted.
        """
        self._database = database
        self._broker = broker
        self._switch = switch
        self._metrics = metrics

    async def place(self, order: Order, key: str, actor: str) -> Placed:
        """Put an order into the book, and fill it where the market does.

        Args:
            order: what is wanted.
            key: its idempotency key: the same key never gives a second order.
            actor: who wants it.

        Raises:
            OrderRefused: by the emergency, a rule or the broker; nothing is in the book.
            UnknownInstrument: there is none of that symbol.
            KeyReused: the key has another order.
            DatabaseUnavailable: whether it is in the book is not known where the commit was lost.
        """
        try:
            return await self._once(order, key, actor)
        except book.KeyTaken:
            # The same request at the same time: the other one's order is there now.
            return await self._once(order, key, actor)
        except book.BookRefused as error:
            raise OrderRefused("database", error.rule, error.message, error.level) from error
        except BrokerRefused as error:
            raise OrderRefused("broker", "market", error.message) from error

    async def cancel(self, order_id: str) -> tuple[str | None, dict[str, Any] | None]:
        """Cancel an order; allowed at every level.

        Returns:
            `cancelled`, `already`, `filled`, or None where there is no such order; and its row.
        """
        async with transaction(self._database) as connection:
            outcome = await book.cancel(connection, order_id)
            return outcome, await book.by_id(connection, order_id)

    async def _once(self, order: Order, key: str, actor: str) -> Placed:
        async with transaction(self._database) as connection:
            if (there := await book.by_key(connection, key)) is not None:
                return _replayed(there, order, actor)
            if not await book.is_enabled(connection, order.symbol):
                raise UnknownInstrument(f"there is no instrument {order.symbol} to trade")
            exposure = await book.exposure(connection, order)
            price = await self._broker.price(connection, order)
            # The last moment: what follows is one round trip to the insert.
            self._judge(order, exposure)
            order_id = await book.add(connection, order, key, actor)
            if price is not None:
                await book.fill(connection, order_id, price)
            row = await book.by_id(connection, order_id)
            assert row is not None
        if price is not None:
            self._metrics.trades.labels(side=order.side).inc()
        return Placed(row, replayed=False)

    def _judge(self, order: Order, exposure: risk.Exposure) -> None:
        state = self._switch()
        check(state, order, "order_path")
        if (refused := risk.refusal(order, exposure, state.level)) is not None:
            raise OrderRefused("order_path", refused.rule, refused.why, state.level)


def _replayed(row: dict[str, Any], order: Order, actor: str) -> Placed:
    same = (
        Order(row["symbol"], row["side"], row["quantity"], row["limit_price"], row["reduce_only"]),
        row["actor"],
    ) == (order, actor)
    if not same:
        raise KeyReused("this idempotency key belongs to another order")
    return Placed(row, replayed=True)
