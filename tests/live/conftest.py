"""One cluster for all live tests: two nodes, the whole platform on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster, running

PORT_BASE = int(os.environ.get("FLOWREX_TEST_PORT_BASE", "24000"))
_HERE = Path(__file__).parent
# What needs more than the one cluster, or much of its time: `make test-more`.
_MORE = (
    "docker/",
    "fleet/",
    "physical/",
    "test_agent_job.py",
    "test_diagnoses.py",
    "test_exec.py",
    "test_frontend.py",
    "test_long_outage.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.live)
            if item.path.relative_to(_HERE).as_posix().startswith(_MORE):
                item.add_marker(pytest.mark.more)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster. That it can't be had is an error, never a skip."""
    with running(PORT_BASE, nodes=2) as running_cluster:
        yield running_cluster


@pytest.fixture
def settled(cluster: Cluster) -> Cluster:
    """The cluster with nothing pending: what a test before this one left is brought to an end."""
    # A run that lost Consul could not give its lock back; that ends with the lock's TTL.
    patient = ("--lock-wait", "60s")
    status = cluster.document("status", "dev")
    if any(job.get("waits_for_promotion") for job in status["jobs"]):
        cluster.run("fail", "dev", *patient)
    cluster.run("run", "dev", "--yes", "--promote", *patient)
    return cluster
