"""From a bad canary under load to the stable version again, and what clients saw of it."""

from __future__ import annotations

import re
from datetime import datetime

from bench.measure import Figure
from tests import unlucky
from tests.cluster import Cluster
from tests.load import load

CONNECTIONS = 8
INTERVAL_S, SCRAPE_S, MIN_REQUESTS = 3, 5, 200
# Two looks in a row have to say so, and the first needs a scrape.
LEAST_S = 2 * INTERVAL_S + SCRAPE_S


def run(cluster: Cluster) -> list[Figure]:
    """Deploy a release that fails one request of twenty, under load, with the analysis on."""
    unlucky.push(cluster, "0.9.1")
    rules = (
        "enabled=true",
        "warm_up=0s",
        f"interval={INTERVAL_S}s",
        "duration=2m",
        f"min_requests={MIN_REQUESTS}",
    )
    words = [word for rule in rules for word in ("--set", f"backend.analysis.{rule}")]
    words += ["--set", "release.version=0.9.1", "--auto-promote"]
    with load(cluster.entry + unlucky.PATH, connections=CONNECTIONS) as seen:
        done = cluster.run("run", "dev", "--yes", *words, expect=5)
    healthy = moment(done.stderr, r"backend: canary 1 of 1 healthy")
    back = moment(done.stderr, r"backend: Nomad went back")
    took_s = (back - healthy).total_seconds()
    return [
        Figure(
            "from a healthy canary that fails 5 % of requests to the stable version again",
            f"{took_s:.0f} s / {LEAST_S} s (two looks and a scrape) = {took_s / LEAST_S:.1f}",
        ),
        Figure(
            "requests that failed meanwhile, of all",
            f"{seen.failed} of {seen.requests} = {100 * seen.failed / seen.requests:.2f} %",
        ),
    ]


def moment(text: str, pattern: str) -> datetime:
    """Return when a run told of something, to the second."""
    found = re.search(rf"^(\d\d:\d\d:\d\d) {pattern}", text, re.MULTILINE)
    assert found, f"{pattern!r} is not told:\n{text}"
    return datetime.strptime(found[1], "%H:%M:%S")
