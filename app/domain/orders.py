"""Orders and positions of the paper book."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Side = Literal["buy", "sell"]
Kind = Literal["market", "limit"]


@dataclass(frozen=True)
class Order:
    """What somebody wants to trade.

    Attributes:
        symbol: the instrument.
        side: buy or sell.
        quantity: units of the base, above zero.
        limit_price: the worst price at which it may be filled; None fills at the market's.
        reduce_only: whether it may only make a position smaller. Only such an order is an exit.
    """

    symbol: str
    side: Side
    quantity: Decimal
    limit_price: Decimal | None = None
    reduce_only: bool = False

    @property
    def kind(self) -> Kind:
        """Return `limit` where a worst price is named."""
        return "market" if self.limit_price is None else "limit"

    @property
    def change(self) -> Decimal:
        """Return what it adds to the position; less than zero for a sale."""
        return self.quantity if self.side == "buy" else -self.quantity


@dataclass(frozen=True)
class Quote:
    """The paper market's prices of an instrument.

    Attributes:
        bid: what a sale gets.
        ask: what a purchase costs.
        tradable: whether the market is open; a closed one refuses every order.
    """

    bid: Decimal
    ask: Decimal
    tradable: bool = True


@dataclass(frozen=True)
class OpenOrder:
    """An order that rests in the book."""

    id: str
    symbol: str
    side: Side
    quantity: Decimal
    reduce_only: bool


@dataclass(frozen=True)
class Position:
    """What is held of an instrument; less than zero where it is sold short."""

    symbol: str
    quantity: Decimal


def fill_price(order: Order, quote: Quote) -> Decimal | None:
    """Return the price at which the paper market fills an order; None where it rests.

    Args:
        order: what is wanted.
        quote: the market, which must be open.
    """
    price = quote.ask if order.side == "buy" else quote.bid
    if order.limit_price is None:
        return price
    acceptable = price <= order.limit_price if order.side == "buy" else price >= order.limit_price
    return price if acceptable else None
