"""Zero failed requests, whatever the platform goes through while wrk loads it through nginx."""

from __future__ import annotations

import time
import urllib.request

import pytest

from tests.cluster import Cluster
from tests.live.test_rollout import marked
from tests.load import load


def through(cluster: Cluster) -> load:
    return load(f"{cluster.entry}/api/v1/instruments")


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> None:
    """Begin with nothing under way."""


def test_a_canary_its_promotion_and_a_rollback_drop_no_request(cluster: Cluster) -> None:
    with through(cluster) as measured:
        cluster.run("run", "dev", "--yes", *marked(100), expect=9)
        cluster.run("promote", "dev")
        cluster.run("rollback", "dev")
    assert measured.requests > 1000
    assert measured.failed == 0, measured.report


def test_a_drained_node_drops_no_request(cluster: Cluster) -> None:
    """Spread has put an instance on each node."""
    with through(cluster) as measured, cluster.drained("node-2", "backend"):
        pass
    assert measured.requests > 1000
    assert measured.failed == 0, measured.report


def test_a_database_login_that_is_replaced_drops_no_request(cluster: Cluster) -> None:
    """Leases so short that a login is replaced several times while the load lasts."""
    short = ["--set", "vault.database_ttl=15s", "--set", "vault.database_max_ttl=30s"]
    cluster.run("bootstrap", "dev", *short)
    try:
        cluster.run("run", "dev", "--yes", "--promote", *marked(101))
        before = rotations(cluster)
        with through(cluster) as measured:
            time.sleep(45)
        assert rotations(cluster) > before
        assert measured.requests > 1000
        assert measured.failed == 0, measured.report
    finally:
        cluster.run("bootstrap", "dev")


def rotations(cluster: Cluster) -> int:
    """Sum the backends' counters, each asked itself, since nginx spreads requests."""
    total = 0.0
    for instance in cluster.allocations("backend"):
        allocation = cluster.nomad(f"allocation/{instance['ID']}")
        (port,) = allocation["AllocatedResources"]["Shared"]["Ports"]
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port['Value']}/metrics", timeout=10
        ) as answer:
            text = answer.read().decode()
        total += sum(
            float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith("database_credentials_rotations_total")
        )
    return int(total)
