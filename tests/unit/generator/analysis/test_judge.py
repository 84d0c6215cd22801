"""When a canary is as good as the stable version, when it is not, and when nobody knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flowrex.settings.declare import Duration
from generator.analysis.judge import Sample, Verdict, judge
from generator.environment.model import Analysis

RULES = Analysis(
    enabled=True, warm_up=Duration("30s"), interval=Duration("30s"), duration=Duration("5m"),
    min_requests=100, max_error_percent=1, max_p95_percent=150, p95_floor=Duration("100ms"),
    max_restarts=0, queries={},
)  # fmt: skip
STABLE = Sample(1000, 1, 0.2)
CANARY = Sample(500, 0, 0.2)


def verdict(
    canary: Sample = CANARY, stable: Sample = STABLE, *, restarts: int = 0, **against: Any
) -> Verdict:
    return judge(RULES, canary, stable, restarts=restarts, against=against)


def test_one_that_is_as_good_is_promoted() -> None:
    assert verdict().kind == "promote"
    assert verdict().reasons == []


@pytest.mark.parametrize(
    ("errors", "kind"), [(5, "promote"), (6, "fail"), (25, "fail"), (500, "fail")]
)
def test_it_may_fail_as_often_as_the_stable_one_and_a_percent_more(errors: int, kind: str) -> None:
    # The stable version fails 0.1 %; of 500, 1.1 % are 5.5.
    assert verdict(replace(CANARY, errors=errors)).kind == kind


def test_errors_that_the_stable_version_has_as_well_are_not_the_canarys() -> None:
    assert verdict(replace(CANARY, errors=50), replace(STABLE, errors=100)).kind == "promote"


@pytest.mark.parametrize(
    ("canary_s", "stable_s", "kind"),
    [
        (0.3, 0.2, "promote"),
        (0.31, 0.2, "fail"),
        (0.1, 0.01, "promote"),  # ten times as slow, and quick enough
        (0.11, 0.01, "fail"),
        (0.09, None, "promote"),
        (0.11, None, "hold"),  # slow here, or slow everywhere: nothing to compare with
    ],
)
def test_it_may_be_half_as_slow_again(canary_s: float, stable_s: float | None, kind: str) -> None:
    found = verdict(replace(CANARY, p95_s=canary_s), replace(STABLE, p95_s=stable_s))
    assert found.kind == kind


def test_a_stable_version_that_was_hardly_asked_says_nothing_of_slowness() -> None:
    slow = replace(CANARY, p95_s=0.9)
    assert verdict(slow, replace(STABLE, requests=99, errors=0)).kind == "hold"
    assert verdict(slow, replace(STABLE, requests=100, errors=0)).kind == "fail"


@pytest.mark.parametrize(
    "canary", [Sample(99, 0, 0.2), Sample(99, 99, 9.0), Sample(0, 0, None), Sample(500, 0, None)]
)
def test_of_too_few_requests_nothing_is_known(canary: Sample) -> None:
    assert verdict(canary).kind == "hold"


def test_a_restart_speaks_against_it_however_little_is_asked() -> None:
    assert verdict(Sample(0, 0, None), restarts=1).kind == "fail"


def test_what_a_query_of_ones_own_gives_speaks_against_it() -> None:
    assert verdict(refused=[]).kind == "promote"
    found = verdict(refused=["canary=true 3"])
    assert found.kind == "fail"
    assert found.reasons == ["refused is canary=true 3 (must give nothing)"]


def test_every_number_is_told() -> None:
    found = verdict(replace(CANARY, errors=25))
    assert found.reasons == ["errors is 5.00 %, 0.10 % in the stable version (at most 1 % more)"]
    rows: Any = found.as_document()["rows"]
    assert [row["name"] for row in rows] == ["requests", "errors", "p95", "restarts"]
