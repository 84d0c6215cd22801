"""Drift: what somebody else did to the jobs, and what a count that was scaled does to a plan."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield


def drift(cluster: Cluster, *arguments: str, expect: int = 0) -> dict[str, str]:
    """Return each job's state."""
    command = ("drift", "dev", "--detailed-exitcode", *arguments)
    document = cluster.document(*command, expect=expect)
    assert document["drift"] is bool(expect)
    return {one["job"]: one["state"] for one in document["jobs"]}


def scale(cluster: Cluster, job: str, count: int) -> None:
    """Scale a job by Nomad's API, as an autoscaler does, and wait until it has settled."""
    body = {"Count": count, "Target": {"Group": job}, "Message": "more to do"}
    cluster.nomad(f"job/{job}/scale", body)

    def settled() -> bool:
        newest = cluster.nomad(f"job/{job}/deployments")
        current = cluster.nomad(f"job/{job}")["Version"]
        return any(one["JobVersion"] == current and one["Status"] == "successful" for one in newest)

    eventually(settled, within=120, what=f"the scaled {job}")


def count(cluster: Cluster, job: str) -> int:
    found: int = cluster.nomad(f"job/{job}")["TaskGroups"][0]["Count"]
    return found


def test_what_was_deployed_has_not_drifted(cluster: Cluster) -> None:
    assert set(drift(cluster).values()) == {"unchanged"}


def test_a_changed_spec_is_shown_and_a_canary_is_pending(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", *marked(401), expect=9)
    assert drift(cluster, expect=1)["backend"] == "pending"
    cluster.run("promote", "dev")
    assert drift(cluster, expect=1)["backend"] == "changed"
    done = cluster.run("drift", "dev")
    assert "env ROLLOUT" in done.stdout
    assert "Drift: backend." in done.stdout


def test_a_scaled_count_is_told_apart_and_makes_no_plan_stale(cluster: Cluster) -> None:
    path = cluster.project / "scaled.plan"
    change = ["--set", "worker.env.ROLLOUT=402"]
    cluster.run("plan", "dev", *change, "--out", str(path))
    before = count(cluster, "worker")
    scale(cluster, "worker", before + 1)
    assert drift(cluster)["worker"] == "scaled"
    assert drift(cluster, "--counts", expect=1)["worker"] == "scaled"
    done = cluster.run("run", "dev", "--yes", "--promote", "--plan", str(path))
    assert f"{before} → {before + 1}" in done.stderr
    worker = cluster.nomad("job/worker")
    assert worker["TaskGroups"][0]["Tasks"][0]["Env"]["ROLLOUT"] == "402"
    assert count(cluster, "worker") == before + 1, "it is kept"


def test_a_plan_that_sets_the_count_is_stale_after_a_scaling(cluster: Cluster) -> None:
    path = cluster.project / "counted.plan"
    before = count(cluster, "worker")
    cluster.run("plan", "dev", "--set", f"worker.count={before + 2}", "--out", str(path))
    scale(cluster, "worker", before + 1)
    done = cluster.run("run", "dev", "--yes", "--plan", str(path), expect=4)
    assert "worker" in done.stderr
    assert count(cluster, "worker") == before + 1


def test_a_stopped_job_and_one_that_nobody_rendered(cluster: Cluster) -> None:
    task = {
        "Name": "miner",
        "Driver": "raw_exec",
        "Config": {"command": "/bin/sleep", "args": ["600"]},
        "Resources": {"CPU": 20, "MemoryMB": 10},
    }
    job: dict[str, Any] = {
        "ID": "miner",
        "Name": "miner",
        "Type": "service",
        "Datacenters": ["*"],
        "TaskGroups": [{"Name": "miner", "Count": 1, "Tasks": [task]}],
    }
    cluster.nomad("jobs", {"Job": job})
    try:
        eventually(lambda: cluster.allocations("miner"), what="the foreign job")
        assert drift(cluster, expect=1)["miner"] == "foreign"
        assert "miner" not in drift(cluster, "--only-ours")
    finally:
        stop(cluster, "miner", "?purge=true")
    stop(cluster, "worker")
    assert drift(cluster, expect=1)["worker"] == "stopped"
    stop(cluster, "worker", "?purge=true")
    assert drift(cluster, expect=1)["worker"] == "missing"


def stop(cluster: Cluster, job: str, query: str = "") -> None:
    """Stop a job by Nomad's API."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{cluster.base + 46}/v1/job/{job}{query}",
        headers={"X-Nomad-Token": cluster.token("nomad")},
        method="DELETE",
    )
    urllib.request.urlopen(request, timeout=10).close()
