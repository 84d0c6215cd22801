"""Waits double up to a limit, and are spread."""

from __future__ import annotations

from agents.backoff import Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(1, 120, chance=lambda: 1.0)
    assert [backoff.seconds(n) for n in (1, 2, 3, 7, 8, 9)] == [1, 2, 4, 64, 120, 120]


def test_no_wait_is_shorter_than_half() -> None:
    backoff = Backoff(1, 120, chance=lambda: 0.0)
    assert [backoff.seconds(n) for n in (1, 2, 9)] == [0.5, 1, 60]


def test_months_of_failures_do_not_overflow() -> None:
    assert Backoff(1, 120, chance=lambda: 1.0).seconds(1_000_000) == 120
