"""Consul and Vault away for longer than a template of Nomad's would try by default."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from typing import Any

from tests.cluster import Cluster, eventually

# Nomad's default: twelve tries, from 250 ms doubled up to a minute apart, are 304 s. A database
# login of 5 minutes is renewed after two thirds of them, and only then is Vault missed.
AWAY_S = 304 + 200 + 40
JOBS = ("backend", "worker", "frontend", "nginx", "alertmanager", "prometheus")


def tasks(cluster: Cluster) -> dict[str, tuple[str, int]]:
    """Return each task's state and restarts, by its allocation and name."""
    found: dict[str, tuple[str, int]] = {}
    for job in JOBS:
        for one in cluster.allocations(job):
            states: dict[str, Any] = one["TaskStates"] or {}
            for name, task in states.items():
                found[f"{job} {one['ID'][:8]} {name}"] = (task["State"], task["Restarts"])
    return found


def ready(cluster: Cluster) -> bool:
    """Tell whether an instance is ready; one that is not answers 503."""
    try:
        return bool(cluster.get("/health/ready")["status"] == "ready")
    except urllib.error.HTTPError:
        return False


def test_what_runs_goes_on_without_consul_and_vault_for_nine_minutes(settled: Cluster) -> None:
    cluster = settled
    before = tasks(cluster)
    assert {state for state, _ in before.values()} == {"running"}
    try:
        for server in ("vault", "consul-1", "consul-2"):
            os.kill(cluster.server(server)["pid"], signal.SIGKILL)
        end = time.monotonic() + AWAY_S
        while time.monotonic() < end:
            with urllib.request.urlopen(f"{cluster.entry}/nginx/health", timeout=10) as answer:
                assert answer.status == 200
            with urllib.request.urlopen(f"{cluster.entry}/health/live", timeout=10) as answer:
                assert answer.status == 200
            time.sleep(5)
        assert tasks(cluster) == before
    finally:
        cluster.run("dev", "up")
    eventually(lambda: ready(cluster), within=120, what="readiness")
    assert tasks(cluster) == before
