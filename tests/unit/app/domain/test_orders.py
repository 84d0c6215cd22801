from __future__ import annotations

from decimal import Decimal

import pytest

from app.domain.orders import Order, Quote, Side, fill_price

MARKET = Quote(bid=Decimal("1.10"), ask=Decimal("1.12"))


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [
        ("buy", None, "1.12"),
        ("sell", None, "1.10"),
        ("buy", "1.12", "1.12"),
        ("buy", "1.20", "1.12"),
        ("buy", "1.11", None),
        ("sell", "1.10", "1.10"),
        ("sell", "1.00", "1.10"),
        ("sell", "1.11", None),
    ],
)
def test_an_order_is_filled_at_the_markets_price_or_rests(
    side: Side, limit: str | None, price: str | None
) -> None:
    order = Order("EUR_USD", side, Decimal(10), Decimal(limit) if limit else None)
    assert fill_price(order, MARKET) == (Decimal(price) if price else None)


def test_a_sale_takes_away_and_a_purchase_adds() -> None:
    assert Order("EUR_USD", "buy", Decimal(10)).change == 10
    assert Order("EUR_USD", "sell", Decimal(10)).change == -10
