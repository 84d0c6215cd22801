"""The paper book on a real PostgreSQL: orders, fills, positions, and each emergency lock alone."""

from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from app.brokers.paper import PaperBroker
from app.domain import risk
from app.main import assemble, wire
from app.services import Services
from app.settings import load
from app.trading import Trading
from flowrex.emergency import Emergency, Level
from flowrex.switch import State
from tests.live.app.conftest import Place
from tests.live.app.servers import Postgres

_numbers = itertools.count(1)
ORDER = {"symbol": "EUR_USD", "side": "buy", "quantity": "1000"}


def state(level: Level) -> State:
    return State(level, Emergency(level, "test"), 5, False, 0.0, f"level {level.word}")


@dataclass
class Desk:
    """The application in this process, with two switches that a test sets one by one."""

    database: Postgres
    services: Services
    client: httpx.AsyncClient
    levels: dict[str, Level] = field(
        default_factory=lambda: {"api": Level.NORMAL, "order_path": Level.NORMAL}
    )

    async def order(self, **changes: Any) -> httpx.Response:
        headers = {"Idempotency-Key": f"test-key-{next(_numbers)}", "X-Actor": "tester"}
        headers |= changes.pop("headers", {})
        return await self.client.post("/api/v1/orders", json=ORDER | changes, headers=headers)

    async def positions(self) -> dict[str, str]:
        answer = await self.client.get("/api/v1/positions")
        return {one["symbol"]: one["quantity"] for one in answer.json()["positions"]}

    def raise_database(self, level: Level) -> None:
        self.database.run(f"SELECT trading.change_emergency({int(level)}::smallint, 1, '', '', '')")


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[Desk]:
    place.database.run(
        "TRUNCATE trading.trades, trading.orders, trading.positions;"
        "SELECT trading.change_emergency(0::smallint, 0, '', '', '');"
        "UPDATE trading.paper_quotes SET tradable = true"
    )
    made: list[Desk] = []

    def switch(where: str) -> State:
        return state(made[0].levels[where])

    services = wire(load(place.environ), lambda: switch("api"))
    path = Trading(services.database, PaperBroker(), lambda: switch("order_path"), services.metrics)
    services = replace(services, trading=path)
    await services.database.start()
    transport = httpx.ASGITransport(assemble(FastAPI(), services))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            made.append(Desk(place.database, services, client))
            yield made[0]
    finally:
        await services.cache.close()
        await services.database.stop()


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


LOCKS = ["api", "order_path", "database"]


@pytest.mark.parametrize("level", [Level.HALT, Level.CANCEL, Level.FLATTEN, Level.STOP])
@pytest.mark.parametrize("lock", LOCKS)
async def test_each_lock_alone_refuses_new_risk_and_lets_exits_pass(
    desk: Desk, lock: str, level: Level
) -> None:
    await desk.order()
    if lock == "database":
        desk.raise_database(level)
    else:
        desk.levels[lock] = level
    for wanted in ({}, {"limit_price": "1.05"}, {"side": "sell", "quantity": "5000"}):
        answer = await desk.order(**wanted)
        assert answer.status_code == 503, answer.text
        refused = answer.json()["refused"]
        assert refused == {"place": lock, "rule": "emergency", "level": level.word}
        assert answer.headers["retry-after"]
    assert await desk.positions() == {"EUR_USD": "1000"}
    exit_ = await desk.order(side="sell", quantity="1000", reduce_only=True)
    assert exit_.status_code == 201, exit_.text
    assert await desk.positions() == {}
    text = desk.services.metrics.exposition().decode()
    assert f'trades_refused_total{{level="{level.word}",place="{lock}"' in text


@pytest.mark.parametrize("level", [Level.CANCEL, Level.STOP])
@pytest.mark.parametrize("lock", LOCKS)
async def test_each_lock_alone_refuses_an_exit_that_would_rest_where_orders_are_cancelled(
    desk: Desk, lock: str, level: Level
) -> None:
    await desk.order()
    if lock == "database":
        desk.raise_database(level)
    else:
        desk.levels[lock] = level
    answer = await desk.order(side="sell", limit_price="9", reduce_only=True)
    assert (answer.status_code, answer.json()["refused"]["place"]) == (503, lock)


async def test_an_order_that_rests_can_be_cancelled_at_every_level(desk: Desk) -> None:
    order = (await desk.order(limit_price="1.05")).json()["id"]
    desk.levels.update(api=Level.STOP, order_path=Level.STOP)
    desk.raise_database(Level.STOP)
    answer = await desk.client.delete(f"/api/v1/orders/{order}", headers={"X-Actor": "tester"})
    assert answer.status_code == 200


def test_the_databases_caps_are_the_codes(migrated: Postgres) -> None:
    found = migrated.run(
        "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conname IN ('order_cap', 'position_cap') ORDER BY conname"
    )
    caps = [int(number) for number in re.findall(r"<= \(?'?(\d+)", found)]
    assert caps == [int(risk.MAX_ORDER_QUANTITY), int(risk.MAX_POSITION_QUANTITY)], found


class Login:
    """One login's own session with the database."""

    def __init__(self, place: Place, role: str) -> None:
        self._lease = place.lease(role)
        self._port = place.database.port

    def run(self, sql: str) -> str:
        """Run SQL; return what it prints, or PostgreSQL's error code."""
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "VERBOSITY=sqlstate", "-v", "ON_ERROR_STOP=1",
             "-h", "127.0.0.1", "-p", str(self._port), "-U", self._lease["username"],
             "-d", "flowrex", "-c", sql],
            env={"PGPASSWORD": self._lease["password"]}, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()[-5:]


DENIED = "42501"

LOOSENING = [
    "UPDATE trading.emergency SET level = 0",
    "DELETE FROM trading.emergency",
    "INSERT INTO trading.emergency (level, index, change) VALUES (0, 0, 0)",
    "SELECT trading.change_emergency(0::smallint, 9, '', '', '')",
    "UPDATE trading.positions SET quantity = 0",
    "INSERT INTO trading.positions (symbol, quantity) VALUES ('EUR_USD', 5)",
    "UPDATE trading.orders SET quantity = 1",
    "UPDATE trading.orders SET status = 'open'",
    "DELETE FROM trading.orders",
    "UPDATE trading.paper_quotes SET tradable = true",
    "ALTER TABLE trading.orders DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "TRUNCATE trading.emergency_changes",
    "DELETE FROM trading.flatten_steps",
    "UPDATE trading.flatten_steps SET detail = ''",
]
OF_THE_WORKER = [
    "SELECT trading.lower_emergency(0::smallint, 99, NULL, '', '', '')",
    "INSERT INTO trading.flatten_runs (change, index, level, holder) VALUES (1, 1, 2, 'me')",
    "UPDATE trading.flatten_runs SET outcome = 'done'",
    "SELECT * FROM trading.flatten_steps",
]


@pytest.mark.parametrize("statement", LOOSENING + OF_THE_WORKER)
def test_the_applications_login_can_loosen_nothing(place: Place, statement: str) -> None:
    assert Login(place, "flowrex_app").run(statement) == DENIED


@pytest.mark.parametrize("statement", LOOSENING)
def test_the_workers_login_changes_the_lock_by_its_function_only(
    place: Place, statement: str
) -> None:
    assert Login(place, "flowrex_worker").run(statement) == DENIED


def raising(level: int, index: int) -> str:
    return f"SELECT trading.raise_emergency({level}::smallint, {index}, 'r', 'ops', 'test')"


def lowering(level: int, index: int, at: str = "NULL") -> str:
    return f"SELECT trading.lower_emergency({level}::smallint, {index}, {at}, 'r', 'ops', 'test')"


def test_the_lock_in_the_database_goes_up_by_anybody_and_down_by_a_later_key(place: Place) -> None:
    place.database.run("SELECT trading.change_emergency(0::smallint, 0, '', '', '')")
    app, worker = Login(place, "flowrex_app"), Login(place, "flowrex_worker")
    now = "SELECT level, index FROM trading.emergency"
    assert app.run(raising(1, 50)) == "1"
    assert app.run(raising(3, 60)) == "3"
    assert app.run(raising(2, 70)) == "3"
    assert app.run(raising(0, 80)) == "3"
    assert app.run(now) == "3|60"
    assert app.run(lowering(0, 90)) == DENIED
    assert worker.run(lowering(0, 59)) == "FX004"
    assert worker.run(lowering(0, 59, "now() - interval '1 day'")) == "FX004"
    assert worker.run(lowering(1, 61)) == "1"
    assert worker.run(lowering(0, 62)) == "0"
    assert app.run(now) == "0|62"
    # Consul lost its data and counts from the beginning: only a later word of a person counts.
    assert app.run(raising(1, 3)) == "1"
    assert worker.run(lowering(0, 4, "now() + interval '1 second'")) == "0"
    changes = "SELECT string_agg(level_after::text, ',' ORDER BY id) FROM (SELECT * FROM"
    changes += " trading.emergency_changes ORDER BY id DESC LIMIT 6) AS last"
    assert worker.run(changes) == "1,3,1,0,1,0"


async def test_a_change_waits_for_orders_under_way_and_no_order_comes_after_it(
    place: Place,
) -> None:
    place.database.run("SELECT trading.change_emergency(0::smallint, 0, '', '', '')")
    dsn = {"host": "127.0.0.1", "port": place.database.port, "database": "flowrex"}
    order, change = [
        await asyncpg.connect(user=lease["username"], password=lease["password"], **dsn)
        for lease in (place.lease("flowrex_app"), place.lease("flowrex_app"))
    ]
    insert = (
        "INSERT INTO trading.orders (idempotency_key, actor, symbol, side, kind, quantity,"
        " reduce_only) VALUES ($1, 'tester', 'EUR_USD', 'buy', 'market', 1, false)"
    )
    try:
        transaction = order.transaction()
        await transaction.start()
        await order.execute(insert, "under-way-1")
        raised = asyncio.create_task(change.fetchval(raising(1, 5)))
        await asyncio.sleep(0.2)
        assert not raised.done()
        await transaction.commit()
        assert await asyncio.wait_for(raised, 5) == 1
        with pytest.raises(asyncpg.PostgresError) as caught:
            await order.execute(insert, "under-way-2")
        assert caught.value.sqlstate == "FX001"
        with pytest.raises(asyncpg.PostgresError):
            # At another isolation level the order would be judged by what was before.
            async with order.transaction(isolation="repeatable_read"):
                await order.execute(insert, "under-way-3")
    finally:
        await order.close()
        await change.close()
        place.database.run("SELECT trading.change_emergency(0::smallint, 0, '', '', '')")
