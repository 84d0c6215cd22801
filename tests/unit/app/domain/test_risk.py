from __future__ import annotations

from decimal import Decimal

import pytest

from app.domain.orders import Order, Side
from app.domain.risk import (
    MAX_ORDER_QUANTITY,
    MAX_POSITION_QUANTITY,
    Exposure,
    Refused,
    forbidden,
    reduces,
    refusal,
)
from flowrex.emergency import Level

FLAT, LONG, SHORT = Exposure(Decimal(0)), Exposure(Decimal(100)), Exposure(Decimal(-100))


def order(
    side: Side = "buy", quantity: int = 10, *, exit_: bool = False, limit: bool = False
) -> Order:
    price = Decimal(1) if limit else None
    return Order("EUR_USD", side, Decimal(quantity), price, reduce_only=exit_)


def rule(refused: Refused | None) -> str | None:
    return None if refused is None else refused.rule


@pytest.mark.parametrize(
    ("side", "quantity", "exposure", "expected"),
    [
        ("sell", 10, LONG, True),
        ("sell", 100, LONG, True),
        ("sell", 101, LONG, False),
        ("buy", 10, LONG, False),
        ("buy", 100, SHORT, True),
        ("buy", 101, SHORT, False),
        ("sell", 10, SHORT, False),
        ("sell", 10, FLAT, False),
        ("sell", 60, Exposure(Decimal(100), Decimal(50), Decimal(50)), False),
        ("sell", 50, Exposure(Decimal(100), Decimal(50), Decimal(50)), True),
    ],
)
def test_an_exit_is_against_the_position_and_no_larger_with_all_exits_that_rest(
    side: Side, quantity: int, exposure: Exposure, expected: bool
) -> None:
    assert reduces(order(side, quantity), exposure) == expected


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("limit", [False, True])
def test_new_risk_is_forbidden_at_every_level_but_normal(level: Level, limit: bool) -> None:
    assert bool(forbidden(order(limit=limit), level)) == (level > Level.NORMAL)


@pytest.mark.parametrize("level", Level)
def test_an_exit_at_the_markets_price_is_never_forbidden(level: Level) -> None:
    assert forbidden(order("sell", exit_=True), level) == ""
    assert refusal(order("sell", exit_=True), LONG, level) is None


@pytest.mark.parametrize("level", Level)
def test_an_exit_that_would_rest_is_forbidden_where_open_orders_are_cancelled(
    level: Level,
) -> None:
    forbids = forbidden(order("sell", exit_=True, limit=True), level)
    assert bool(forbids) == (level >= Level.CANCEL)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("exposure", [FLAT, SHORT, Exposure(Decimal(5))])
def test_what_only_says_that_it_is_an_exit_is_refused_always(
    level: Level, exposure: Exposure
) -> None:
    assert rule(refusal(order("sell", exit_=True), exposure, level)) == "no_exit"


def test_the_hard_caps() -> None:
    most = int(MAX_ORDER_QUANTITY)
    assert refusal(order(quantity=most), FLAT, Level.NORMAL) is None
    assert rule(refusal(order(quantity=most + 1), FLAT, Level.NORMAL)) == "order_cap"
    nearly = Exposure(MAX_POSITION_QUANTITY - 10)
    assert refusal(order(quantity=10), nearly, Level.NORMAL) is None
    assert rule(refusal(order(quantity=11), nearly, Level.NORMAL)) == "position_cap"
    assert refusal(order("sell", 11), nearly, Level.NORMAL) is None


def test_open_orders_count_towards_the_position() -> None:
    resting = Exposure(MAX_POSITION_QUANTITY - 20, resting=Decimal(15))
    assert rule(refusal(order(quantity=10), resting, Level.NORMAL)) == "position_cap"


def test_the_emergency_is_named_before_any_other_rule() -> None:
    huge = order(quantity=int(MAX_ORDER_QUANTITY) + 1)
    assert rule(refusal(huge, FLAT, Level.HALT)) == "emergency"
