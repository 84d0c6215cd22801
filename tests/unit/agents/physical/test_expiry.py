"""When old backups may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.physical.expiry import refusal
from agents.physical.info import parse
from tests.unit.agents.physical.repository import DIFF, FULL, backup, document

STOPPED = datetime(2026, 2, 1, 2, 0, tzinfo=UTC)
NOW = STOPPED + timedelta(hours=3)


def why(
    text: str,
    *,
    now: datetime = NOW,
    store: datetime | None = NOW,
    verified: datetime | None = STOPPED + timedelta(hours=1),
) -> str | None:
    return refusal(
        parse(text, "flowrex"), now=now, store_now=store, verified_at=verified, retention_days=30
    )


def test_with_everything_in_order_pgbackrest_may_expire() -> None:
    assert why(document(backup(FULL, STOPPED))) is None


@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400), timedelta(minutes=6)])
def test_after_a_bad_clock_nothing_goes(jump: timedelta) -> None:
    reason = why(document(backup(FULL, STOPPED)), now=NOW + jump)
    assert reason is not None
    assert "clock" in reason


def test_where_the_stores_clock_is_not_known_nothing_goes() -> None:
    assert why(document(backup(FULL, STOPPED)), store=None) is not None


def test_where_no_backup_was_taken_for_the_whole_retention_nothing_goes() -> None:
    late = NOW + timedelta(days=31)
    reason = why(document(backup(FULL, STOPPED)), now=late, store=late)
    assert reason is not None
    assert "take one first" in reason


@pytest.mark.parametrize("verified", [None, STOPPED - timedelta(seconds=1)])
def test_where_the_newest_full_backup_is_not_verified_nothing_goes(
    verified: datetime | None,
) -> None:
    assert "not verified" in str(why(document(backup(FULL, STOPPED)), verified=verified))


def test_where_one_is_held_nothing_goes() -> None:
    held = backup(FULL, STOPPED, annotation={"hold": "audit"})
    assert "is held" in str(why(document(held)))


def test_where_one_is_faulty_nothing_goes() -> None:
    later = backup(DIFF, STOPPED + timedelta(hours=1), error=True)
    assert "wrong checksums" in str(why(document(backup(FULL, STOPPED), later)))


def test_where_there_is_no_good_full_backup_nothing_goes() -> None:
    assert why(document()) is not None
    assert why(document(code=4, message="mixed")) is not None
    assert why("[]") is not None
