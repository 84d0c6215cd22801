from __future__ import annotations

from decimal import Decimal

import pytest

from app.domain.flatten import Cancel, Close, pause_s, steps
from app.domain.orders import OpenOrder, Order, Position
from app.domain.risk import MAX_ORDER_QUANTITY
from flowrex.emergency import Level

RESTING = OpenOrder("1", "EUR_USD", "buy", Decimal(10), False)
LONG, SHORT = Position("EUR_USD", Decimal(10)), Position("USD_JPY", Decimal(-7))


@pytest.mark.parametrize("level", [Level.NORMAL, Level.HALT])
def test_below_cancel_nothing_is_done(level: Level) -> None:
    assert steps(level, [RESTING], [LONG]) == ()


@pytest.mark.parametrize("level", [Level.CANCEL, Level.FLATTEN, Level.STOP])
def test_open_orders_go_first_and_alone(level: Level) -> None:
    assert steps(level, [RESTING], [LONG]) == (Cancel("1", "EUR_USD"),)


def test_cancel_leaves_positions() -> None:
    assert steps(Level.CANCEL, [], [LONG]) == ()


@pytest.mark.parametrize("level", [Level.FLATTEN, Level.STOP])
def test_positions_are_closed_by_exits_against_them(level: Level) -> None:
    assert steps(level, [], [LONG, SHORT]) == (
        Close(Order("EUR_USD", "sell", Decimal(10), reduce_only=True)),
        Close(Order("USD_JPY", "buy", Decimal(7), reduce_only=True)),
    )


def test_a_position_of_nothing_is_passed_over() -> None:
    assert steps(Level.FLATTEN, [], [Position("EUR_USD", Decimal(0))]) == ()


def test_a_large_position_is_closed_in_parts() -> None:
    (close,) = steps(Level.FLATTEN, [], [Position("EUR_USD", MAX_ORDER_QUANTITY * 3)])
    assert isinstance(close, Close)
    assert close.order.quantity == MAX_ORDER_QUANTITY


def test_refusals_are_repeated_with_longer_pauses_up_to_a_bound() -> None:
    assert [pause_s(n) for n in (1, 2, 3, 50)] == [0.5, 1.0, 2.0, 10.0]
