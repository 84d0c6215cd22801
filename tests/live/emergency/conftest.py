"""A trading desk on the running platform, and its kill switch."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from flowrex import keys
from flowrex.acknowledgement import parse_acknowledgement
from flowrex.consul import ConsulClient
from flowrex.emergency import Emergency, Level
from flowrex.secret import Secret
from generator.bootstrap.postgres import Server
from generator.bootstrap.resolve import target_of
from generator.environment import load
from tests.cluster import ROOT, Cluster, eventually

_numbers = itertools.count(time.time_ns())
# Maintenance lets this address of the machine pass (jobs/environments/dev.yaml).
OPS = "127.0.0.9"


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int, method: str, path: str, body: object = None, *, host: str = "127.0.0.1",
    source: str = "127.0.0.1", **headers: str,
) -> Answer:  # fmt: skip
    """Ask once, on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=15, source_address=(source, 0))
    try:
        content = None if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, content, {"Content-Type": "application/json", **named})
        answer = connection.getresponse()
        text = answer.read().decode()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
    finally:
        connection.close()


@dataclass(frozen=True)
class Desk:
    """Orders through nginx, the switch, and what the database holds."""

    cluster: Cluster
    consul: ConsulClient
    database: Server

    # The switch

    def switch(self, level: Level, reason: str = "a test") -> int:
        """Write the key as flowrexctl does; return its index."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        return self.write(Emergency(level, reason, "tests", at).encode())

    def write(self, value: str | bytes) -> int:
        """Write anything into the key; return its index."""
        assert self.consul.kv_put(keys.EMERGENCY, value)
        entry = self.consul.kv_get(keys.EMERGENCY)
        assert entry is not None
        return entry.modify_index

    def acknowledged(self, kind: str, index: int, level: Level) -> int:
        """Count the processes of a kind that have taken up this state."""
        found = self.consul.kv_list(f"{keys.ACKNOWLEDGEMENTS}{kind}/")
        said = [parse_acknowledgement(one.key, one.value) for one in found]
        return sum((one.index, one.level) == (index, level.word) for one in said)

    def settled(self, index: int, level: Level) -> None:
        """Wait until every process of the application has acknowledged."""
        # Two instances with two processes each, and two workers.
        for kind, count in (("backend", 4), ("worker", 2)):
            eventually(
                lambda kind=kind, count=count: self.acknowledged(kind, index, level) == count,  # type: ignore[misc]
                within=60,
                what=f"{count} acknowledgements of {level.word} by {kind}",
            )

    # Trading

    def order(self, *, port: int | None = None, host: str = "127.0.0.1", **changes: Any) -> Answer:
        """Place an order, through nginx unless another port is named."""
        body = {"symbol": "EUR_USD", "side": "buy", "quantity": "1000"} | changes
        return ask(
            port or self.cluster.base + 80, "POST", "/api/v1/orders", body, host=host, source=OPS,
            X_Actor="tests", Idempotency_Key=f"live-{next(_numbers)}",
        )  # fmt: skip

    def positions(self) -> dict[str, str]:
        """Return what is held."""
        answer = ask(self.cluster.base + 80, "GET", "/api/v1/positions", source=OPS)
        return {one["symbol"]: one["quantity"] for one in answer.document["positions"]}

    def open_orders(self) -> int:
        """Count the orders that rest."""
        path = "/api/v1/orders?status=open"
        return len(ask(self.cluster.base + 80, "GET", path, source=OPS).document["orders"])

    # What the database holds

    def value(self, query: str) -> Any:
        """Return a query's one value."""
        row = self.database.row(query)
        return None if row is None else row[0]

    def database_level(self) -> int:
        return int(self.value("SELECT level FROM trading.emergency"))

    def run_of_now(self) -> tuple[Any, ...] | None:
        """Return the outcome, the fence and the holder of the run of the emergency of now."""
        return self.database.row(
            "SELECT outcome, fence, holder FROM trading.flatten_runs"
            " WHERE change = (SELECT change FROM trading.emergency)"
        )

    def market(self, symbol: str, *, tradable: bool) -> None:
        """Open or close the paper market of an instrument."""
        self.database.execute(
            f"UPDATE trading.paper_quotes SET tradable = {tradable} WHERE symbol = '{symbol}'"
        )

    def calm(self) -> None:
        """Switch off, and leave nothing in the book."""
        index = self.switch(Level.NORMAL, "the test is over")
        self.database.execute("UPDATE trading.paper_quotes SET tradable = true")
        self.settled(index, Level.NORMAL)
        eventually(lambda: self.database_level() == 0, what="the database's lock is lowered")
        self.database.execute(
            "TRUNCATE trading.trades, trading.orders, trading.positions",
        )


# An administrator's session keeps a database from being restored: no longer than it is needed.
@pytest.fixture(scope="module")
def desk_of_the_cluster(cluster: Cluster) -> Iterator[Desk]:
    environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
    target = target_of(load(ROOT, "dev", environ=environ), ROOT, environ=environ)
    consul = ConsulClient(target.consul.address, Secret(cluster.token("consul")))
    with Server(target.postgres_admin, database="flowrex") as database:
        yield Desk(cluster, consul, database)


@pytest.fixture
def desk(desk_of_the_cluster: Desk) -> Iterator[Desk]:
    """The desk, calm before and after."""
    desk_of_the_cluster.calm()
    yield desk_of_the_cluster
    desk_of_the_cluster.calm()
