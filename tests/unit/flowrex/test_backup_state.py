from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flowrex.backup_state import BackupState, parse
from flowrex.errors import ConfigurationError

STATE = BackupState(
    "flowrex", "node-1", "2026-03-01T12:00:00+00:00", 3, "b", "2026-03-01T11:00:00+00:00",
    "a", "2026-03-01T10:00:00+00:00", "2026-03-01T10:05:00+00:00",
)  # fmt: skip
KEY = "flowrex/backups/flowrex"


def test_it_is_read_as_it_was_written() -> None:
    assert parse(KEY, STATE.encode().encode()) == STATE


def test_the_age_is_that_of_the_data_of_the_newest_good_one() -> None:
    assert STATE.good_age_s(datetime(2026, 3, 1, 12, tzinfo=UTC)) == 7200
    assert BackupState("flowrex", "n", "").good_age_s(datetime.now(UTC)) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"on",
        b"[]",
        b"null",
        b"{}",
        b'{"database": "d", "node": "n", "at": "", "surprise": 1}',
        b'{"database": "d", "node": "n", "at": "", "good": "a", "good_at": ""}',
        b'{"database": "d", "node": "n", "at": "", "good": "a", "good_at": "2026-01-01T00:00:00"}',
        b'{"database": "d", "node": "n", "at": "", "good": "a", "good_at": 5}',
        b'{"database": "d", "node": "n", "at": "", "drill_good": "yes"}',
    ],
)
def test_anything_else_is_no_state_and_no_backup_counts(value: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"^flowrex/backups/flowrex: "):
        parse(KEY, value)
