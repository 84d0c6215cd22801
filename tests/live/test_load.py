"""Zero failed requests, whatever the platform goes through while wrk loads it through nginx."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked, nomad


class Load:
    """What wrk reported."""

    def __init__(self) -> None:
        self.report = ""

    @property
    def requests(self) -> int:
        found = re.search(r"(\d+) requests in", self.report)
        assert found, self.report
        return int(found[1])

    @property
    def failed(self) -> int:
        errors = re.search(r"Socket errors: (.*)", self.report)
        counts = map(int, re.findall(r"\d+", errors[1] if errors else ""))
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", self.report)
        return sum(counts) + (int(refused[1]) if refused else 0)


@contextmanager
def load(cluster: Cluster) -> Iterator[Load]:
    """Load the platform for as long as the block takes."""
    result = Load()
    process = subprocess.Popen(
        ["wrk", "-t1", "-c8", "-d600", f"{cluster.entry}/api/v1/instruments"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        time.sleep(1)
        yield result
        assert process.poll() is None, "the load ended before what it was to cover"
        process.send_signal(signal.SIGINT)  # wrk ends and reports
        result.report, _ = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> None:
    """Begin with nothing under way."""


def test_a_canary_its_promotion_and_a_rollback_drop_no_request(cluster: Cluster) -> None:
    with load(cluster) as measured:
        cluster.run("run", "dev", "--yes", *marked(100), expect=9)
        cluster.run("promote", "dev")
        cluster.run("rollback", "dev")
    assert measured.requests > 1000
    assert measured.failed == 0, measured.report


def test_a_drained_node_drops_no_request(cluster: Cluster) -> None:
    nodes = nomad(cluster, "nodes")
    assert isinstance(nodes, list)
    node = next(one["ID"] for one in nodes if one["Name"] == "node-2")
    here = [a for a in allocations(cluster) if a["NodeID"] == node]
    assert here, "spread puts an instance on each node"
    drain = {"DrainSpec": {"Deadline": 120_000_000_000, "IgnoreSystemJobs": False}}
    try:
        with load(cluster) as measured:
            nomad(cluster, f"node/{node}/drain", drain)
            eventually(
                lambda: not any(a["NodeID"] == node for a in allocations(cluster)),
                within=60,
                what="the node's last allocation's end",
            )
        assert measured.requests > 1000
        assert measured.failed == 0, measured.report
    finally:
        nomad(cluster, f"node/{node}/drain", {"DrainSpec": None, "MarkEligible": True})


def allocations(cluster: Cluster) -> list[dict[str, object]]:
    found = nomad(cluster, "job/backend/allocations")
    assert isinstance(found, list)
    return [one for one in found if one["ClientStatus"] in {"pending", "running"}]


def test_a_database_login_that_is_replaced_drops_no_request(cluster: Cluster) -> None:
    """Leases so short that a login is replaced several times while the load lasts."""
    short = ["--set", "vault.database_ttl=15s", "--set", "vault.database_max_ttl=30s"]
    cluster.run("bootstrap", "dev", *short)
    try:
        cluster.run("run", "dev", "--yes", "--promote", *marked(101))
        before = rotations(cluster)
        with load(cluster) as measured:
            time.sleep(45)
        assert rotations(cluster) > before
        assert measured.requests > 1000
        assert measured.failed == 0, measured.report
    finally:
        cluster.run("bootstrap", "dev")


def rotations(cluster: Cluster) -> int:
    """Sum the backends' counters, each asked itself, since nginx spreads requests."""
    total = 0.0
    for instance in allocations(cluster):
        allocation = nomad(cluster, f"allocation/{instance['ID']}")
        assert isinstance(allocation, dict)
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
