"""When the archiver is an alarm."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from agents.physical.archiver import Archiver, judge, parse
from agents.physical.wal import Segment
from flowrex.errors import ServerRefused

QUIET = Archiver(
    now=1000.0,
    in_recovery=False,
    system_id="7712179853858405413",
    timeline=1,
    lsn="0/5000060",
    mode="on",
    command="pgbackrest --config=/x.conf --stanza=flowrex archive-push %p",
    timeout_s=30,
    segment_bytes=16 << 20,
    archived=4,
    failed=0,
    last_wal="000000010000000000000004",
    last_at=990.0,
    failed_wal=None,
    failed_at=None,
    waiting=0,
    oldest=None,
)


def alarms(archiver: Archiver) -> list[str]:
    return [alarm.name for alarm in judge(archiver, stanza="flowrex", rpo_s=60)]


def test_an_archiver_that_keeps_up_is_none() -> None:
    assert alarms(QUIET) == []
    assert QUIET.lag_s == 0


def test_an_idle_database_is_not_behind_however_long_nothing_was_written() -> None:
    assert alarms(replace(QUIET, now=900_000.0)) == []


def test_a_segment_that_waits_longer_than_may_be_lost_is_one() -> None:
    waiting = replace(QUIET, waiting=3, oldest=939.0)
    assert alarms(waiting) == ["archive behind"]
    assert waiting.lag_s == 61
    assert "48 MiB" in next(judge(waiting, stanza="flowrex", rpo_s=60)).text
    assert alarms(replace(QUIET, waiting=1, oldest=941.0)) == []


def test_a_failure_is_one_until_the_next_success() -> None:
    failed = replace(QUIET, failed=2, failed_wal="000000010000000000000005", failed_at=995.0)
    assert alarms(failed) == ["archive failing"]
    assert alarms(replace(failed, last_at=996.0)) == []
    assert alarms(replace(failed, last_at=None, last_wal=None)) == ["archive failing"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"mode": "off"}, "archiving off"),
        ({"command": "/bin/true"}, "archive command"),
        ({"command": "pgbackrest --stanza=other archive-push %p"}, "archive command"),
        ({"command": ""}, "archive command"),
        ({"timeout_s": 0}, "archive timeout"),
        ({"timeout_s": 61}, "archive timeout"),
    ],
)
def test_settings_that_archive_nothing_or_too_late_are_one(
    change: dict[str, object], name: str
) -> None:
    assert alarms(replace(QUIET, **change)) == [name]  # type: ignore[arg-type]


def test_a_replica_archives_nothing_and_that_is_right() -> None:
    assert alarms(replace(QUIET, in_recovery=True, mode="off")) == []


def test_what_postgresql_answers_is_read() -> None:
    assert parse(json.dumps(asdict(QUIET))) == QUIET
    with pytest.raises(ServerRefused):
        parse('{"now": 1}')
    with pytest.raises(ServerRefused):
        parse("psql: nonsense")


def test_the_last_segment_is_known_and_a_history_file_is_none() -> None:
    assert QUIET.last_segment() == Segment(1, 4)
    assert replace(QUIET, last_wal="00000002.history").last_segment() is None
    assert replace(QUIET, last_wal=None).last_segment() is None
    assert QUIET.open_segment() == Segment(1, 5)
