"""How fast the kill switch is: from the key's write to the last order that is still accepted.

Beside it, in the same rounds and under the same load, Consul's own blocking queries; and then, how
long until the slowest of fifty agents has taken it up.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Figure
from bench.whole_agents import acknowledged, running_agents
from flowrex import keys
from flowrex.acknowledgement import parse_acknowledgement
from flowrex.consul import ConsulClient
from flowrex.emergency import Emergency, Level
from flowrex.secret import Secret
from generator.bootstrap.postgres import Server
from generator.bootstrap.resolve import target_of
from generator.environment import load
from tests.cluster import ROOT, Cluster, eventually

ROUNDS = 60
AGENTS, AGENT_ROUNDS = 50, 20
PLAIN = 4
TARGET_MS = 50


@dataclass
class Watchers:
    """Processes that tell when each of their watches knew of a change."""

    count: int
    known: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def all_know(self, index: int) -> bool:
        return len(self.known[index]) >= self.count

    def slowest(self, index: int) -> float:
        return max(self.known[index])

    def read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            index, at = json.loads(line)
            self.known[index].append(at)


@dataclass
class Orders:
    """What the clients are answered."""

    last_accepted: float = 0.0

    def read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            status, at = json.loads(line)
            if status == 201:
                self.last_accepted = at


@dataclass(frozen=True)
class Round:
    """Milliseconds from the write's return, and orders a second before it.

    Attributes:
        last: to the last order that is in the book.
        told: to the last client that was told so.
        query: to the slowest plain blocking query.
        rate: orders accepted a second.
    """

    last: float
    told: float
    query: float
    rate: float


@contextmanager
def _process(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run(cluster: Cluster) -> list[Figure]:
    """Measure on a running cluster."""
    environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
    target = target_of(load(ROOT, "dev", environ=environ), ROOT, environ=environ)
    token = cluster.token("consul")
    consul = ConsulClient(target.consul.address, Secret(token))
    access = {"CONSUL_HTTP_ADDR": target.consul.address, "CONSUL_HTTP_TOKEN": token}
    with Server(target.postgres_admin, database="flowrex") as database, ExitStack() as processes:
        _write(consul, Level.NORMAL)
        instances = [f"{one.address}:{one.port}" for one in consul.services("backend", True)]
        plain, orders = Watchers(PLAIN), Orders()
        watching = processes.enter_context(_process("bench.switch_watchers", str(PLAIN), **access))
        threading.Thread(target=plain.read, args=(watching,), daemon=True).start()
        with _process("bench.order_load", *instances) as loading:
            threading.Thread(target=orders.read, args=(loading,), daemon=True).start()
            rounds = [_round(consul, database, orders, plain) for _ in range(ROUNDS + 1)][1:]
        # Fifty agents are fifty machines; here they share this one, so they get it for themselves.
        folder = processes.enter_context(tempfile.TemporaryDirectory(prefix="flowrex-agents-"))
        processes.enter_context(running_agents(AGENTS, Path(folder), target.consul.address, token))
        quiet = [_agents_round(consul, plain) for _ in range(AGENT_ROUNDS + 1)][1:]
        _write(consul, Level.NORMAL)
    last, told, query = (
        [getattr(one, name) for one in rounds] for name in ("last", "told", "query")
    )
    rate = statistics.median(one.rate for one in rounds)
    beyond = _quantile(last, 0.99) - _quantile(query, 0.99)
    return [
        Figure(
            f"from the switch to the last accepted order, {len(instances)} instances of 2 "
            f"processes, {rate:.0f} orders a second, {ROUNDS} rounds",
            _shown(last),
            f"p99 within {TARGET_MS} ms of Consul's own",
            beyond <= TARGET_MS,
        ),
        Figure("from the switch to the last client that was told of an accepted one", _shown(told)),
        Figure(
            f"Consul's own blocking query in the same rounds, the slowest of {PLAIN} in one "
            "process",
            _shown(query),
        ),
        Figure(
            f"from the switch to the slowest of {AGENTS} whole agents on one machine, without the "
            f"orders, {AGENT_ROUNDS} rounds",
            _shown([one[0] for one in quiet]),
        ),
        Figure("Consul's own blocking query beside them", _shown([one[1] for one in quiet])),
    ]


def _agents_round(consul: ConsulClient, plain: Watchers) -> tuple[float, float]:
    """Return milliseconds until the slowest agent took it up, and to the slowest plain query."""
    index, wall, at = _write(consul, Level.HALT)
    # The first round waits for their start as well.
    eventually(
        lambda: plain.all_know(index) and len(acknowledged(consul, index)) == AGENTS,
        within=180, every=0.5,
    )  # fmt: skip
    slowest = max(acknowledged(consul, index)) - wall
    index_after, _, _ = _write(consul, Level.NORMAL)
    eventually(lambda: len(acknowledged(consul, index_after)) == AGENTS, within=60, every=0.5)
    return max(slowest, 0.0) * 1000, max(plain.slowest(index) - at, 0.0) * 1000


def _settled(consul: ConsulClient, index: int) -> bool:
    """Tell whether every process of the backend has acknowledged this state of the key."""
    found = consul.kv_list(f"{keys.ACKNOWLEDGEMENTS}backend/")
    return all(parse_acknowledgement(one.key, one.value).index == index for one in found)


def _round(consul: ConsulClient, database: Server, orders: Orders, plain: Watchers) -> Round:
    """Switch under load, and return how long everything took."""
    began = time.time()
    eventually(lambda: _orders_since(database, began) > 20, within=30, every=0.05)
    rate = _orders_since(database, began) / (time.time() - began)
    index, wall, at = _write(consul, Level.HALT)
    eventually(lambda: plain.all_know(index) and _settled(consul, index), within=60, every=0.1)
    # What was accepted before has been answered by then.
    time.sleep(0.5)
    row = database.row("SELECT extract(epoch FROM max(at))::float FROM trading.trades")
    assert row is not None
    last = max(row[0] - wall, 0.0)
    told = orders.last_accepted - at
    quiet = _orders_since(database, wall + last + 0.001)
    assert quiet == 0, "an order was accepted after the last one"
    _write(consul, Level.NORMAL)
    last, told, query = (max(end, 0.0) * 1000 for end in (last, told, plain.slowest(index) - at))
    return Round(last, told, query, rate)


def _write(consul: ConsulClient, level: Level) -> tuple[int, float, float]:
    """Write the key; return its index and both clocks at the write's return."""
    consul.kv_put(keys.EMERGENCY, Emergency(level, f"bench {time.time_ns()}", "bench").encode())
    wall, at = time.time(), time.monotonic()
    entry = consul.kv_get(keys.EMERGENCY)
    assert entry is not None
    return entry.modify_index, wall, at


def _orders_since(database: Server, wall: float) -> int:
    row = database.row("SELECT count(*) FROM trading.trades WHERE at > to_timestamp($1)", wall)
    assert row is not None
    return int(row[0])


def _quantile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def _shown(values: Sequence[float]) -> str:
    return (
        f"p50 {_quantile(values, 0.5):.1f} ms, p99 {_quantile(values, 0.99):.1f} ms, "
        f"max {max(values):.1f} ms"
    )
