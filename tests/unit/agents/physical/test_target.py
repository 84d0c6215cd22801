"""What `--to` means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.physical.target import Target, parse
from flowrex.errors import UsageError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_time_is_said_to_postgresql_in_utc() -> None:
    target = parse("2026-03-01T12:05:00.25+01:00", now=NOW)
    assert (target.kind, target.text) == ("time", "2026-03-01 11:05:00.250000+00")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-03-01 11:00:00Z", "time"),
        ("0/5000060", "lsn"),
        ("before-migration", "name"),
        ("name:0/5000060", "name"),
        ("end", "end"),
        ("latest", "end"),
        ("immediate", "immediate"),
    ],
)
def test_each_form_is_told_from_the_others(text: str, kind: str) -> None:
    assert parse(text, now=NOW).kind == kind


def test_an_lsn_is_written_as_postgresql_does() -> None:
    assert parse("a/2b", now=NOW) == Target("lsn", "A/2B")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-03-01T11:00:00", "no time zone"),
        ("2026-03-01", "no time zone"),
        ("2026-13-01T11:00:00Z", "is no time"),
        ("2026-03-01T12:00:01Z", "has not come yet"),
        ("", "no name"),
        ("name:" + "x" * 64, "no name"),
    ],
)
def test_what_is_not_one_moment_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        parse(text, now=NOW)
    assert caught.value.hint
