"""The end of old records, on a real PostgreSQL: what goes, what stays, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.live.app.conftest import Place
from tests.live.app.process import ROOT
from tests.live.app.test_locks import DENIED, Login

NOW = datetime.now(UTC)
KEEP = 2557


def order(place: Place, *, days: int, status: str = "filled", closed: int | None = None) -> str:
    """Put an order of the past into the book, past the triggers, as only its owner's owner may."""
    made = str(uuid.uuid4())
    at = NOW - timedelta(days=days)
    ended = "NULL" if status == "open" else f"'{NOW - timedelta(days=closed or days)}'"
    statements = [
        "SET session_replication_role = replica",
        "INSERT INTO trading.orders (id, idempotency_key, actor, symbol, side, kind, quantity,"
        f" reduce_only, status, created_at, closed_at) VALUES ('{made}', '{made}', 'retention',"
        f" 'EUR_USD', 'buy', 'market', 1000, false, '{status}', '{at}', {ended})",
    ]
    if status == "filled":
        statements.append(
            "INSERT INTO trading.trades (order_id, symbol, side, quantity, price, at)"
            f" VALUES ('{made}', 'EUR_USD', 'buy', 1000, 1.1, '{at}')"
        )
    place.database.run("; ".join(statements))
    return made


def left(place: Place) -> set[str]:
    """Return the orders that this file made and that are still there."""
    found = place.database.run("SELECT id FROM trading.orders WHERE actor = 'retention'")
    return set(found.split())


def run(place: Place, **told: str) -> subprocess.CompletedProcess[str]:
    place.hand_over(place.lease("flowrex_retention"))
    environ = {**os.environ, **place.environ, "FLOWREX_RETENTION_KEEP_DAYS": str(KEEP), **told}
    return subprocess.run(
        [sys.executable, "-m", "app.retention"],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def clean(place: Place) -> Iterator[None]:
    yield
    place.database.run(
        "DELETE FROM trading.trades WHERE order_id IN (SELECT id FROM trading.orders"
        " WHERE actor = 'retention'); DELETE FROM trading.orders WHERE actor = 'retention';"
        " UPDATE trading.emergency SET level = 0"
    )


def test_what_was_closed_long_enough_ago_goes_with_its_fill_and_the_rest_stays(
    place: Place,
) -> None:
    gone = {order(place, days=KEEP + 1), order(place, days=KEEP + 900, status="cancelled")}
    stays = {
        order(place, days=KEEP - 1),
        order(place, days=KEEP + 900, status="open"),
        # Old, but closed since: its time runs from then.
        order(place, days=KEEP + 900, closed=10),
    }
    done = run(place)
    assert done.returncode == 0, done.stderr
    assert left(place) == stays
    assert not gone & left(place)
    trades = place.database.run("SELECT count(*) FROM trading.trades t JOIN trading.orders o"
                                " ON o.id = t.order_id WHERE o.actor = 'retention'")  # fmt: skip
    assert trades == "2"
    assert '"message": "deleted"' in done.stdout
    assert '"orders": 2' in done.stdout and '"trades": 1' in done.stdout


def test_each_batch_leaves_a_row_that_says_who_deleted_what(place: Place) -> None:
    order(place, days=1)
    for _ in range(5):
        order(place, days=KEEP + 5)
    before = int(place.database.run("SELECT coalesce(max(id), 0) FROM trading.retention_runs"))
    assert run(place, FLOWREX_RETENTION_BATCH="2").returncode == 0
    rows = place.database.run(
        "SELECT orders, trades, keep_days, login LIKE 'v\\_%' FROM trading.retention_runs"
        f" WHERE id > {before} ORDER BY id"
    )
    assert rows.split() == [f"2|2|{KEEP}|t", f"2|2|{KEEP}|t", f"1|1|{KEEP}|t"]


def test_a_dry_run_counts_and_deletes_nothing(place: Place) -> None:
    stays = {order(place, days=KEEP + 1), order(place, days=1)}
    done = run(place, FLOWREX_RETENTION_DRY_RUN="true")
    assert done.returncode == 0, done.stderr
    assert '"message": "would be deleted"' in done.stdout and '"orders": 1' in done.stdout
    assert left(place) == stays


def test_nothing_goes_in_an_emergency_and_the_run_is_no_failure(place: Place) -> None:
    stays = {order(place, days=KEEP + 1), order(place, days=1)}
    place.database.run("UPDATE trading.emergency SET level = 1")
    done = run(place)
    assert done.returncode == 0, done.stderr
    assert "nothing is deleted at emergency level 1" in done.stdout
    assert left(place) == stays


def test_a_clock_by_which_everything_has_expired_is_not_believed(place: Place) -> None:
    stays = {order(place, days=KEEP + 1), order(place, days=KEEP + 2)}
    others = place.database.run(
        f"SELECT count(*) FROM trading.orders WHERE created_at > now() - interval '{KEEP} days'"
    )
    assert others == "0", "this test needs a book without newer orders"
    done = run(place)
    assert done.returncode == 7
    assert "a wrong clock would say as well" in done.stderr
    assert "Traceback" not in done.stderr
    assert left(place) == stays


def test_less_than_five_years_is_refused_by_the_database_itself(place: Place) -> None:
    stays = {order(place, days=1826), order(place, days=1)}
    done = run(place, FLOWREX_RETENTION_KEEP_DAYS="1826")
    assert done.returncode == 3
    assert "records are kept for 1827 days at least, not for 1826" in done.stderr
    assert left(place) == stays


FORBIDDEN = [
    "SELECT * FROM trading.orders",
    "DELETE FROM trading.orders",
    "DELETE FROM trading.trades",
    "SELECT * FROM trading.retention_runs",
    "DELETE FROM trading.retention_runs",
    "UPDATE trading.positions SET quantity = 0",
    "SELECT trading.raise_emergency(1::smallint, 1, '', '', '')",
    "SELECT trading.cancel_order(gen_random_uuid())",
    "INSERT INTO trading.orders (idempotency_key, actor, symbol, side, kind, quantity, reduce_only)"
    " VALUES ('12345678', 'me', 'EUR_USD', 'buy', 'market', 1, false)",
    "SELECT * FROM migrations.alembic_version",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_its_login_may_do_nothing_else(place: Place, statement: str) -> None:
    assert Login(place, "flowrex_retention").run(statement) == DENIED


@pytest.mark.parametrize("role", ["flowrex_app", "flowrex_worker"])
@pytest.mark.parametrize(
    "call", ["trading.expired(2557)", "trading.delete_expired(2557, 1)"]
)  # fmt: skip
def test_nobody_else_may_delete_what_has_expired(place: Place, role: str, call: str) -> None:
    assert Login(place, role).run(f"SELECT * FROM {call}") == DENIED


def test_a_database_that_is_away_is_a_sentence(place: Place) -> None:
    done = run(place, FLOWREX_DATABASE_PORT="9")
    assert done.returncode == 6
    assert "connection refused" in done.stderr and "Traceback" not in done.stderr
