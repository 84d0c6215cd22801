"""Requests that fail, and the latency that clients see, while a version is rolled out."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.measure import Figure
from tests.cluster import Cluster
from tests.load import load

CONNECTIONS = 8
QUIET_S = 20


def run(cluster: Cluster) -> list[Figure]:
    """Load the platform in peace, then through a canary, a promotion, a rollback and a drain."""
    change = ["--set", f"backend.env.BENCH=b{int(time.time())}"]

    def roll() -> None:
        cluster.run("run", "dev", "--yes", *change, expect=9)
        cluster.run("promote", "dev")
        cluster.run("rollback", "dev")
        with cluster.drained("node-2", "backend"):
            pass

    before = measured(cluster, lambda: time.sleep(QUIET_S))
    during = measured(cluster, roll)
    return [
        Figure(
            "requests that failed through canary, promotion, rollback and a drained node",
            f"{during.failed} of {during.requests} (before: {before.failed} of {before.requests})",
            "0",
            during.failed == 0,
        ),
        Figure(
            f"p99 latency of /api/v1/instruments, {CONNECTIONS} connections without pause",
            f"{during.p99_ms:.0f} ms during / {before.p99_ms:.0f} ms before = "
            f"{during.p99_ms / before.p99_ms:.1f}",
        ),
    ]


def measured(cluster: Cluster, action: Callable[[], None]) -> load:
    with load(cluster.entry + "/api/v1/instruments", connections=CONNECTIONS) as result:
        action()
    return result
