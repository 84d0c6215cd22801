"""Canary analysis on the running platform: a bad release under load is taken back by itself."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests import unlucky
from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked


# Looked at every Prometheus' interval; quick, since the load is steady.
def quick(job: str) -> list[str]:
    """Return the overrides that have a job's canary compared, for as long as it takes."""
    settings = ("enabled=true", "warm_up=3s", "interval=3s", "duration=20s", "min_requests=100")
    return [word for one in settings for word in ("--set", f"{job}.analysis.{one}")]


QUICK = quick("backend")


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield


@contextmanager
def load(cluster: Cluster, path: str = unlucky.PATH) -> Iterator[Counter[int]]:
    """Ask through nginx all the time; count the answers by status, 0 for none."""
    seen: Counter[int] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                with urllib.request.urlopen(cluster.entry + path, timeout=10) as answer:
                    answer.read()
                    seen[answer.status] += 1
            except urllib.error.HTTPError as error:
                seen[error.code] += 1
            except OSError:
                seen[0] += 1
            time.sleep(0.02)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def last(cluster: Cluster) -> dict[str, object]:
    document = cluster.document("status", "dev")
    found: dict[str, object] = next(one for one in document["jobs"] if one["job"] == "backend")
    return found


def test_a_good_release_under_load_is_promoted_by_itself(cluster: Cluster) -> None:
    with load(cluster) as seen:
        done = cluster.run("run", "dev", "--yes", *marked(800), *QUICK, "--auto-promote")
    assert "as good as the stable one" in done.stderr
    assert last(cluster)["state"] == "in service"
    assert set(seen) == {200}, seen


def test_a_bad_release_under_load_is_taken_back_by_itself(cluster: Cluster) -> None:
    good = cluster.get("/api/v1/version")["release"]
    unlucky.push(cluster, "0.9.0")
    version = ["--set", "release.version=0.9.0"]
    with load(cluster) as seen:
        done = cluster.run("run", "dev", "--yes", *version, *QUICK, "--auto-promote", expect=5)
    assert "the canary is worse than the stable version: errors is" in done.stdout + done.stderr
    # The canary leaves as every instance does: out of Consul first, then a while to be forgotten.
    eventually(
        lambda: {cluster.get("/api/v1/version")["release"] for _ in range(20)} == {good},
        what="the stable version alone, with no operator",
    )
    # A third of the requests met the canary, and one of twenty of these failed.
    assert seen[500] < sum(seen.values()) * 0.05, seen
    assert set(seen) <= {200, 500}, seen


def test_the_frontends_canary_is_compared_by_what_the_pages_answer(cluster: Cluster) -> None:
    rollout = ("--set", "frontend.env.ROLLOUT=811")
    with load(cluster, "/") as seen:
        done = cluster.run("run", "dev", "--yes", *rollout, *quick("frontend"), "--auto-promote")
    assert set(seen) == {200}, seen
    assert "frontend: promote: as good as the stable one" in done.stderr
    assert "frontend: version" in done.stderr and "is promoted" in done.stderr


def test_without_traffic_a_person_decides(cluster: Cluster) -> None:
    done = cluster.run("run", "dev", "--yes", *marked(801), *QUICK, "--auto-promote", expect=9)
    assert "hold: requests is" in done.stderr
    said = json.loads(cluster.run("status", "dev", "--json").stdout)
    assert any(job["next"] and "promote" in job["next"] for job in said["jobs"])
    cluster.run("fail", "dev")


def test_auto_promote_needs_an_analysis(cluster: Cluster) -> None:
    done = cluster.run("run", "dev", "--yes", *marked(802), "--auto-promote", expect=2)
    assert "backend.analysis.enabled=true" in done.stderr
