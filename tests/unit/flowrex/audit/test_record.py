"""The audit trail's line and its chain."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowrex.audit.record import (
    NO_PREVIOUS,
    ChainBroken,
    Link,
    Record,
    append,
    begin,
    follow,
    read_link,
)

NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ORDER = Record(
    time=NOON,
    kind="request",
    request_id="r-1",
    actor="desk-7",
    method="POST",
    path="/orders",
    source="10.0.0.9",
    user_agent="curl/8",
    status=201,
    duration_ms=12.34567,
    detail={"order": "o-1"},
)


def chain_of(count: int) -> list[bytes]:
    link, lines = Link("a" * 32), []
    for _ in range(count):
        line, link = append(ORDER, link)
        lines.append(line)
    return lines


def test_a_line_says_what_happened() -> None:
    line, _ = append(ORDER, Link("a" * 32))
    assert line.endswith(b"}\n")
    fields = json.loads(line)
    assert fields["time"] == "2026-03-01T12:00:00.250000Z"
    assert fields["actor"] == "desk-7"
    assert fields["duration_ms"] == 12.346
    assert fields["detail"] == {"order": "o-1"}
    assert (fields["seq"], fields["prev"]) == (1, NO_PREVIOUS)
    assert list(fields)[-1] == "hash"


def test_time_is_written_in_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    line, _ = append(Record(time=there, kind="request"), begin())
    assert json.loads(line)["time"] == "2026-03-01T12:00:00.250000Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        append(Record(time=NOON.replace(tzinfo=None), kind="request"), begin())


def test_two_writers_never_share_a_chain() -> None:
    assert begin().chain != begin().chain


def test_a_whole_chain_is_followed() -> None:
    link = Link("a" * 32)
    for line in chain_of(5):
        link = follow(line, link)
    assert link.seq == 5


@pytest.mark.parametrize("at", range(10, 400, 13))
def test_any_changed_byte_is_noticed(at: int) -> None:
    first, second, _ = chain_of(3)
    changed = second[:at] + bytes([second[at] ^ 1]) + second[at + 1 :]
    with pytest.raises(ChainBroken):
        follow(changed, follow(first, Link("a" * 32)))


def test_a_removed_record_is_named() -> None:
    first, _, third = chain_of(3)
    with pytest.raises(ChainBroken, match=r"record 3 .* stands where record 2"):
        follow(third, follow(first, Link("a" * 32)))


def test_a_forged_record_with_a_right_hash_does_not_follow() -> None:
    first, _, third = chain_of(3)
    forged, _ = append(Record(time=NOON, kind="request"), Link("a" * 32, 1, "b" * 64))
    with pytest.raises(ChainBroken, match="does not follow"):
        follow(forged, follow(first, Link("a" * 32)))
    assert read_link(third) is not None


@pytest.mark.parametrize("line", [b"", b"{}", b'{"hash":"x"}', b'{"a":1,"hash":"' + b"0" * 64])
def test_other_json_is_of_no_chain(line: bytes) -> None:
    assert read_link(line) is None


@given(text=st.text(), detail=st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_text_survives_and_can_not_forge_the_link(text: str, detail: dict[str, str]) -> None:
    record = Record(time=NOON, kind="request", path=text, user_agent=text, detail=detail)
    line, link = append(record, Link("a" * 32))
    assert line.count(b"\n") == 1
    assert json.loads(line)["path"] == text
    assert follow(line, Link("a" * 32)) == link
