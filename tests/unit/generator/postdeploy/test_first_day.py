"""The first 24 hours: what counts as wrong, and for how long it must have been."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from generator.environment import load
from generator.postdeploy.first_day import Reading, Standing, headline, judge, times
from tests.unit.generator.checks.world import NOW

LIMITS = load(Path(__file__).parents[4], "prod", environ={}).watching
WELL = Reading(
    at=NOW,
    requests=1000,
    error_percent=0.1,
    p50_s=0.01,
    p95_s=0.1,
    p99_s=0.2,
    memory={"a": 100e6},
    pool_percent=50,
    trades=10,
    restarts={"backend": 1},
    problems={"backups": "", "certificates": ""},
)


def wrong(first: Reading = WELL, **changed: Any) -> dict[str, str]:
    said = judge(replace(WELL, **changed), first, LIMITS)
    return {one.name: one.text for one in said if one.kind != "well"}


def test_a_release_that_is_well_has_nothing_wrong() -> None:
    assert wrong() == {}
    said = judge(WELL, WELL, LIMITS)
    assert headline(WELL, said, NOW - timedelta(hours=2)) == (
        "2h after it began: well; 0.10 % of 1000 requests failed, p50 10 ms, p95 100 ms, p99 200 ms"
    )


@pytest.mark.parametrize(
    ("changed", "name", "text"),
    [
        ({"error_percent": 1.5}, "errors", "1.50 % of 1000 requests failed"),
        ({"p95_s": 1.2}, "latency", "p95 1200 ms"),
        ({"memory": {"a": 126e6}}, "memory", "26 % more than at first"),
        ({"memory": {}}, "memory", "telemetry says nothing"),
        ({"pool_percent": 91}, "pool", "91 % of the connections"),
        ({"refused": 1}, "trades", "90.9 % of 11 orders were executed"),
        ({"restarts": {"backend": 3}}, "restarts", "backend 2 times"),
        ({"alerts": ("DiskNearlyFull",)}, "alerts", "DiskNearlyFull fires"),
        ({"problems": {"backups": "none is good"}}, "backups", "none is good"),
    ],
)
def test_each_number_has_its_limit(changed: dict[str, Any], name: str, text: str) -> None:
    found = wrong(**changed)
    assert list(found) == [name]
    assert text in found[name]


def test_memory_of_an_allocation_that_is_new_is_no_growth() -> None:
    assert wrong(memory={"b": 900e6}) == {}


def test_nothing_that_was_asked_is_no_failure() -> None:
    quiet: dict[str, Any] = {
        "requests": 0, "error_percent": 0, "p50_s": None, "p95_s": None, "p99_s": None,
    }  # fmt: skip
    assert wrong(**quiet, trades=0) == {}


def test_what_is_wrong_once_does_not_count() -> None:
    standing = Standing(2)
    for reading in (replace(WELL, pool_percent=99), WELL, replace(WELL, pool_percent=99)):
        standing.add(judge(reading, WELL, LIMITS))
        assert standing.counts == []
    standing.add(judge(replace(WELL, pool_percent=99), WELL, LIMITS))
    assert standing.counts == ["pool"]


def test_it_is_looked_at_once_at_the_end_too() -> None:
    assert list(times(0, 10, 4)) == [0, 4, 8, 10]
    assert list(times(5, 5, 4)) == [5]
