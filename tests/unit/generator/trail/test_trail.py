"""Proving, searching and redacting a trail in a bucket in memory."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowrex.audit.record import Link
from flowrex.audit.segment import FileId
from flowrex.audit.verify import Tip
from flowrex.consul import KVEntry
from flowrex.errors import ConfigurationError, UsageError
from flowrex.testing.s3 import FakeS3
from generator.trail.bucket import Trail
from generator.trail.moment import moment
from generator.trail.query import Query, found
from generator.trail.redact import Redaction, load
from generator.trail.verify import tips_of, verify
from tests.unit.flowrex.audit.trail import TIME, Shipper, Writer

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RECORD = {
    "time": "2026-03-01T12:00:00.000000Z",
    "actor": "desk-7",
    "path": "/users/desk-7/orders",
    "source": "10.0.0.9",
    "detail": {"email": "a@example.com", "by": "desk-7"},
    "hash": "f" * 64,
}


@pytest.fixture
def shipper() -> Shipper:
    shipper, writer = Shipper(), Writer(Link("a" * 32))
    for inode in range(3):
        shipper.ship(FileId(1, inode, "0" * 16), writer.lines(2))
    return shipper


def trail(shipper: Shipper) -> Trail:
    store = FakeS3()
    store.ensure_bucket("logs")
    for key, body in shipper.objects.items():
        store.put("logs", key, body)
    store.put("logs", "audit/README", b"no segment")
    return Trail(store, "logs")


def test_a_whole_trail_is_whole(shipper: Shipper) -> None:
    verdict = verify(trail(shipper), tips={"n1": Tip(3, shipper.predecessor)})
    assert (verdict.breaks, verdict.segments, verdict.lines) == ([], 3, 6)
    assert verdict.nodes == {"n1": 3}
    assert verdict.document()["whole"] is True


def test_an_end_that_is_missing_is_found_by_what_the_agent_says(shipper: Shipper) -> None:
    tip = Tip(3, shipper.predecessor)
    del shipper.objects[list(shipper.objects)[-1]]
    verdict = verify(trail(shipper), tips={"n1": tip, "n2": tip})
    assert [(one.node, one.number) for one in verdict.breaks] == [("n1", 3), ("n2", 1)]


def test_only_the_nodes_that_are_named_are_judged(shipper: Shipper) -> None:
    verdict = verify(trail(shipper), nodes=["n1"], tips={"n2": Tip(9, "f" * 64)})
    assert verdict.breaks == []


def test_what_agents_publish_is_read_and_what_can_not_be_is_left_out() -> None:
    sinks = {"s3": {"tip": {"number": 7, "digest": "ab"}}}
    good = {"node": "n1", "environment": "prod", "tasks": {"audit": {"sinks": sinks}}}
    other = good | {"environment": "dev", "node": "n9"}
    values = [json.dumps(good).encode(), json.dumps(other).encode(), b"{}", b"no", b""]
    entries = [KVEntry(str(n), value, 1, 0, None) for n, value in enumerate(values)]
    assert tips_of(entries, "prod") == {"n1": Tip(7, "ab")}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (Query(), 2),
        (Query(user="desk-7"), 2),
        (Query(user="desk-8"), 0),
        (Query(path="/orders"), 2),
        (Query(path="/users"), 0),
        (Query(kind="refusal"), 0),
        (Query(request_id="r-9"), 0),
        (Query(since=TIME), 2),
        (Query(until=TIME), 0),
        (Query(since=TIME + timedelta(seconds=1)), 0),
    ],
)
def test_records_are_found_by_what_is_asked(shipper: Shipper, query: Query, count: int) -> None:
    body = next(iter(shipper.objects.values()))
    assert len(found(query, iter([body]))) == count


def test_a_person_is_found_also_where_the_name_is_escaped() -> None:
    assert Query(user="Zoë").may_be_in(b'{"actor":"Zo\\u00eb"}')


def test_fields_and_persons_of_the_list_are_hidden() -> None:
    shown = Redaction(("source", "detail.email"), ("desk-7",)).apply(RECORD)
    assert "desk-7" not in json.dumps(shown)
    assert shown["source"] == shown["detail"]["email"] == "[redacted]"
    assert shown["path"] == f"/users/{shown['actor']}/orders"
    assert shown["redacted"] == ["actor", "detail.by", "detail.email", "path", "source"]
    assert RECORD["detail"] == {"email": "a@example.com", "by": "desk-7"}


def test_a_person_is_the_same_within_an_export_and_another_in_the_next() -> None:
    one, other = Redaction(persons=("desk-7",)), Redaction(persons=("desk-7",))
    assert one.apply(RECORD)["actor"] == one.apply(RECORD)["actor"]
    assert one.apply(RECORD)["actor"] != other.apply(RECORD)["actor"]


def test_a_record_with_nothing_to_hide_stays_as_it_is() -> None:
    assert Redaction(("user_agent",), ("desk-9",)).apply(RECORD) == RECORD


def test_the_list_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "redactions.yaml"
    path.write_text("fields: [source]\n")
    assert load(path).fields == ("source",)
    path.write_text("fields: [source]\npersonen: [x]\n")
    with pytest.raises(ConfigurationError, match=r"redactions.yaml:2: unknown setting 'personen'"):
        load(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_or_an_age(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(UsageError, match="no moment"):
        moment("yesterday", NOW)
