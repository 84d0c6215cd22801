"""A node is emptied under load, nobody notices, and it comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked
from tests.load import load

NODE = "node-2"


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield
    settled.run("drain", "dev", NODE, "--end")


def on_node(cluster: Cluster, job: str = "backend") -> int:
    nodes = {one["ID"]: one["Name"] for one in cluster.nomad("nodes")}
    return sum(nodes[one["NodeID"]] == NODE for one in cluster.allocations(job))


def test_a_node_is_emptied_under_load_and_given_back(cluster: Cluster) -> None:
    # One of two instances is on each node, wherever an earlier drain has put them.
    cluster.run("run", "dev", "--yes", "--promote", *marked(900))
    assert on_node(cluster) == 1
    with load(cluster.entry + "/api/v1/instruments") as seen:
        done = cluster.run("drain", "dev", NODE, "--yes", "--reason", "a test", "--json")
    assert json.loads(done.stdout)["moved"]["backend"] == 1
    assert on_node(cluster) == 0
    assert on_node(cluster, "node-exporter") == 1, "system jobs stay"
    assert seen.failed == 0, seen.report
    cluster.run("drain", "dev", NODE, "--end")
    assert all(one["SchedulingEligibility"] == "eligible" for one in cluster.nomad("nodes"))


def test_it_is_refused_while_a_canary_waits_and_for_the_last_node(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", *marked(901), expect=9)
    done = cluster.run("drain", "dev", NODE, "--yes", expect=7)
    assert "its canary might be lost" in done.stderr
    cluster.run("fail", "dev")
    cluster.run("drain", "dev", NODE, "--yes")
    done = cluster.run("drain", "dev", "node-1", "--yes", expect=7)
    assert "only node of the pool" in done.stderr


def test_a_node_that_is_not_there_names_the_nearest(cluster: Cluster) -> None:
    assert "Did you mean 'node-" in cluster.run("drain", "dev", "nod-2", "--yes", expect=2).stderr
    cluster.run("drain", "dev", NODE, expect=2)


def test_system_jobs_leave_where_that_is_asked_for_and_come_back(cluster: Cluster) -> None:
    cluster.run("drain", "dev", NODE, "--yes", "--system")
    assert on_node(cluster, "node-exporter") == 0
    cluster.run("drain", "dev", NODE, "--end")
    eventually(lambda: on_node(cluster, "node-exporter") == 1, what="its exporter")
