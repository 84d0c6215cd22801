"""Whether what is deployed works, looked at on the running platform."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked

EVERY = ("traffic", "metrics", "errors", "alerts")
ON = [word for name in EVERY for word in ("--set", f"validation.checks.{name}=required")]
PATIENT = ["--set", "validation.deadline=60s"]


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> None:
    """Begin with nothing under way."""


def test_a_platform_that_works_passes_every_check(cluster: Cluster) -> None:
    done = cluster.document("verify", "dev", *ON, *PATIENT)
    found = {one["check"]: one for one in done["checks"]}
    for name in ("running", "health", "endpoints", *EVERY):
        assert found[name]["verdict"] == "passed", found[name]
    assert len(found["traffic"]["evidence"]) == 2, "both instances got requests"


def test_a_run_says_and_records_what_it_found(cluster: Cluster) -> None:
    done = cluster.run("run", "dev", "--yes", "--promote", *marked(520), *ON, *PATIENT)
    assert "traffic passed" in done.stderr
    listed = cluster.document("releases", "list", "dev")["releases"]
    shown = cluster.document("releases", "show", "dev", listed[0]["id"])
    assert shown["checked"]["endpoints"] == "passed"


def test_a_release_that_does_not_work_fails_and_names_the_way_back(cluster: Cluster) -> None:
    away = ["--set", "preflight.public_urls.site=http://127.0.0.1:9/"]
    quick = ["--set", "validation.deadline=3s"]
    done = cluster.run("run", "dev", "--yes", "--promote", *marked(521), *away, *quick, expect=5)
    assert "endpoints" in done.stderr
    assert "flowrexctl rollback dev" in done.stderr
    cluster.run("rollback", "dev")
    cluster.run("verify", "dev")


def test_a_promotion_is_looked_at_as_well(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", *marked(522), expect=9)
    assert "endpoints passed" in cluster.run("promote", "dev").stderr


def test_a_release_is_watched(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", "--promote", *marked(523))
    eventually(
        lambda: cluster.run("watch-release", "dev", "--once", expect=(0, 5, 6)).returncode == 0,
        within=90,
        every=3,
        what="a look that finds nothing wrong",
    )
    looks = watch(cluster, "--for", "24h", "--every", "2s", lines=2)
    assert [one["name"] for one in looks[0]["looks"]][:5] == [
        "errors", "latency", "memory", "pool", "trades",
    ]  # fmt: skip


def watch(cluster: Cluster, *options: str, lines: int) -> list[dict[str, list[dict[str, str]]]]:
    """Read so many looks of a release that is watched, and end the watching."""
    process: subprocess.Popen[str] = cluster.start("watch-release", "dev", "--json", *options)
    assert process.stdout is not None
    try:
        return [json.loads(process.stdout.readline()) for _ in range(lines)]
    finally:
        process.terminate()
        process.communicate(timeout=30)
