"""The paper book on a real PostgreSQL: orders, fills, positions, caps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from app.domain import risk
from tests.live.app.conftest import Place
from tests.live.app.desk import Desk, opened
from tests.live.app.servers import Postgres


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[Desk]:
    async with opened(place) as made:
        yield made


async def test_a_market_order_is_filled_and_becomes_a_position(desk: Desk) -> None:
    answer = await desk.order()
    assert answer.status_code == 201, answer.text
    order = answer.json()
    assert (order["status"], order["price"], order["actor"]) == ("filled", "1.0851", "tester")
    assert await desk.positions() == {"EUR_USD": "1000"}
    assert (await desk.order(side="sell", quantity="1500")).status_code == 201
    assert await desk.positions() == {"EUR_USD": "-500"}


async def test_the_average_price_follows_what_was_added(desk: Desk) -> None:
    await desk.order()
    desk.database.run("UPDATE trading.paper_quotes SET ask = 1.1 WHERE symbol = 'EUR_USD'")
    try:
        await desk.order(quantity="3000")
        found = (await desk.client.get("/api/v1/positions")).json()["positions"][0]
        assert Decimal(found["average_price"]) == Decimal("1.096275")
    finally:
        desk.database.run("UPDATE trading.paper_quotes SET ask = 1.0851 WHERE symbol = 'EUR_USD'")


async def test_a_limit_order_rests_where_the_market_is_worse(desk: Desk) -> None:
    resting = (await desk.order(limit_price="1.05")).json()
    assert (resting["status"], resting["price"]) == ("open", None)
    filled = (await desk.order(limit_price="1.2")).json()
    assert (filled["status"], filled["price"]) == ("filled", "1.0851")
    found = (await desk.client.get("/api/v1/orders", params={"status": "open"})).json()
    assert [one["id"] for one in found["orders"]] == [resting["id"]]


async def test_cancelling(desk: Desk) -> None:
    resting = (await desk.order(limit_price="1.05")).json()["id"]
    filled = (await desk.order()).json()["id"]
    actor = {"X-Actor": "tester"}
    for _ in range(2):
        answer = await desk.client.delete(f"/api/v1/orders/{resting}", headers=actor)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert (await desk.client.delete(f"/api/v1/orders/{filled}", headers=actor)).status_code == 409
    nobody = "00000000-0000-0000-0000-000000000000"
    assert (await desk.client.delete(f"/api/v1/orders/{nobody}", headers=actor)).status_code == 404


async def test_a_key_gives_one_order_also_to_requests_at_the_same_time(desk: Desk) -> None:
    headers = {"Idempotency-Key": "the-same-key"}
    answers = await asyncio.gather(*(desk.order(headers=headers) for _ in range(5)))
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 200, 201]
    assert len({one.json()["id"] for one in answers}) == 1
    assert await desk.positions() == {"EUR_USD": "1000"}
    other = await desk.order(headers=headers, quantity="7")
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"quantity": "0"}, 422),
        ({"quantity": "-1"}, 422),
        ({"quantity": "1000001"}, 422),
        ({"quantity": "0.000000001"}, 422),
        ({"quantity": "NaN"}, 422),
        ({"side": "hold"}, 422),
        ({"limit_price": "0"}, 422),
        ({"symbol": "XXX_YYY"}, 404),
        ({"leverage": 5}, 422),
        ({"reduce_only": True}, 422),
        ({"headers": {"X-Actor": ""}}, 422),
        ({"headers": {"X-Actor": "a b"}}, 422),
        ({"headers": {"Idempotency-Key": "short"}}, 422),
    ],
)
async def test_what_makes_no_order_is_refused(
    desk: Desk, changes: dict[str, Any], status: int
) -> None:
    answer = await desk.order(**changes)
    assert answer.status_code == status, answer.text
    assert await desk.positions() == {}


async def test_a_closed_market_refuses_and_leaves_no_order(desk: Desk) -> None:
    desk.database.run("UPDATE trading.paper_quotes SET tradable = false")
    answer = await desk.order()
    assert (answer.status_code, answer.json()["refused"]["place"]) == (409, "broker")
    assert desk.database.run("SELECT count(*) FROM trading.orders") == "0"


async def test_exits_at_the_same_time_never_turn_a_position_around(desk: Desk) -> None:
    await desk.order()
    exits = [desk.order(side="sell", quantity="400", reduce_only=True) for _ in range(6)]
    answers = await asyncio.gather(*exits)
    assert sorted(one.status_code for one in answers) == [201, 201, 422, 422, 422, 422]
    assert await desk.positions() == {"EUR_USD": "200"}


async def test_the_position_cap(desk: Desk) -> None:
    for _ in range(5):
        assert (await desk.order(quantity="1000000")).status_code == 201
    answer = await desk.order(quantity="1")
    assert (answer.status_code, answer.json()["refused"]["rule"]) == (422, "position_cap")


def test_the_databases_caps_are_the_codes(migrated: Postgres) -> None:
    found = migrated.run(
        "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname IN ('order_cap', 'position_cap') ORDER BY conname"
    )
    caps = [int(number) for number in re.findall(r"<= \(?'?(\d+)", found)]
    assert caps == [int(risk.MAX_ORDER_QUANTITY), int(risk.MAX_POSITION_QUANTITY)], found


async def test_the_caps_are_answered_as_the_database_holds_them(desk: Desk) -> None:
    found = {one["name"]: one for one in (await desk.client.get("/api/v1/limits")).json()["caps"]}
    assert {name: (one["code"], one["enforced"]) for name, one in found.items()} == {
        "order_cap": (str(risk.MAX_ORDER_QUANTITY), True),
        "position_cap": (str(risk.MAX_POSITION_QUANTITY), True),
    }
    assert "1000000" in found["order_cap"]["database"]


@pytest.mark.parametrize(
    "loosened",
    [
        "quantity > 0 AND quantity <= 1000000.00000001",
        "quantity > 0 AND quantity <= 999999",
        "quantity > 0",
        "quantity > 0 AND (quantity <= 1000000 OR actor = 'friend')",
        "",
    ],
)
async def test_a_cap_that_the_database_does_not_hold_is_told(desk: Desk, loosened: str) -> None:
    original = "quantity > 0 AND quantity <= 1000000"
    table = "ALTER TABLE trading.orders"
    desk.database.run(f"{table} DROP CONSTRAINT order_cap")
    try:
        if loosened:
            desk.database.run(f"{table} ADD CONSTRAINT order_cap CHECK ({loosened})")
        answer = (await desk.client.get("/api/v1/limits")).json()
        assert {one["name"]: one["enforced"] for one in answer["caps"]} == {
            "order_cap": False, "position_cap": True,
        }  # fmt: skip
    finally:
        desk.database.run(f"{table} DROP CONSTRAINT IF EXISTS order_cap")
        desk.database.run(f"{table} ADD CONSTRAINT order_cap CHECK ({original})")
