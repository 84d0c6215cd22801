"""A database, a Consul and a book for workers that are killed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowrex import keys
from flowrex.emergency import Emergency, Level
from tests.live.app.conftest import Place, area, database, migrated, place  # noqa: F401
from tests.live.app.conftest import cache as cache
from tests.live.app.servers import wait_until
from tests.live.app.worker import Consul, Worker, consul, working

_numbers = itertools.count(1)

# Two orders that rest, and three positions of which one needs two orders to be closed.
RESTING, POSITIONS = 2, {"EUR_USD": 1_500_000, "USD_JPY": -7000, "XAU_USD": 12}


@dataclass
class Scene:
    """What a worker works on."""

    place: Place
    consul: Consul
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        return self.place.environ | {
            "FLOWREX_CONSUL_ADDRESS": self.consul.address,
            "FLOWREX_EMERGENCY_GRACE_SECONDS": "6",
            "FLOWREX_DATABASE_POOL_SIZE": "2",
        }

    def worker(self, name: str, *, code: str | None = None) -> Any:
        """Return a context in which a worker of that name runs."""
        return working(self.environ, self.folder / name, code=code)

    def switch(self, level: Level, at: str = "") -> None:
        at = at or time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        self.consul.client.kv_put(keys.EMERGENCY, Emergency(level, "a test", "tests", at).encode())

    def sql(self, query: str) -> str:
        return self.place.database.run(query)

    def order(self, symbol: str, quantity: int, limit: float | None = None) -> None:
        """Put an order into the book, and fill it where it has no limit."""
        side = "buy" if quantity > 0 else "sell"
        kind, price = ("limit", str(limit)) if limit else ("market", "NULL")
        key = f"fault-{time.time_ns()}-{next(_numbers)}"
        made = self.sql(
            "INSERT INTO trading.orders (idempotency_key, actor, symbol, side, kind, quantity,"
            f" limit_price, reduce_only) VALUES ('{key}', 'tests',"
            f" '{symbol}', '{side}', '{kind}', {abs(quantity)}, {price}, false) RETURNING id"
        )
        if limit is None:
            self.sql(f"INSERT INTO trading.trades (order_id, price) VALUES ('{made}', 1)")

    def fill_book(self) -> None:
        """Trade until the book holds what the tests expect."""
        for _ in range(RESTING):
            self.order("EUR_USD", 10, limit=0.5)
        self.order("EUR_USD", 750_000)
        self.order("EUR_USD", 750_000)
        for symbol in ("USD_JPY", "XAU_USD"):
            self.order(symbol, POSITIONS[symbol])

    def flat(self) -> bool:
        """Tell whether nothing is open."""
        left = "SELECT (SELECT count(*) FROM trading.orders WHERE status = 'open')"
        left += " + (SELECT count(*) FROM trading.positions WHERE quantity <> 0)"
        return self.sql(left) == "0"

    def outcomes(self) -> str:
        """Return how each run ended, in order."""
        query = "SELECT string_agg(coalesce(outcome, 'open'), ',' ORDER BY change)"
        return self.sql(f"{query} FROM trading.flatten_runs")

    def closed(self) -> dict[str, int]:
        """Return what the worker's trades add up to, by symbol."""
        rows = self.sql(
            "SELECT t.symbol || ' ' || sum(CASE t.side WHEN 'buy' THEN t.quantity ELSE -t.quantity"
            " END)::bigint FROM trading.trades t JOIN trading.orders o ON o.id = t.order_id"
            " WHERE o.actor = 'flowrex-worker' GROUP BY t.symbol"
        )
        return {name: int(total) for name, total in (row.split() for row in rows.splitlines())}

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 40) -> None:
        wait_until(condition, what, seconds)


@pytest.fixture(scope="session")
def own_consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consul]:
    with consul(tmp_path_factory.mktemp("consul") / "server") as server:
        yield server


@pytest.fixture
def scene(place: Place, own_consul: Consul, tmp_path: Path) -> Iterator[Scene]:  # noqa: F811
    """A book with something in it, and no emergency."""
    place.hand_over(place.lease("flowrex_worker"))
    place.database.run(
        "TRUNCATE trading.trades, trading.orders, trading.positions, trading.flatten_runs,"
        " trading.flatten_steps; SELECT trading.change_emergency(0::smallint, 0, '', '', '');"
        "UPDATE trading.paper_quotes SET tradable = true"
    )
    client = own_consul.client
    for key in (keys.EMERGENCY, keys.flatten_lock()):
        client.kv_delete(key)
    made = Scene(place, own_consul, tmp_path)
    made.fill_book()
    yield made


__all__ = ["Scene", "Worker"]
