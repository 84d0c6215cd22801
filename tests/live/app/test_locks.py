"""The three locks of an emergency, each alone, and who may work the one in the database."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator

import asyncpg
import pytest

from flowrex.emergency import Level
from tests.live.app.conftest import Place
from tests.live.app.desk import Desk, opened


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[Desk]:
    async with opened(place) as made:
        yield made


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
