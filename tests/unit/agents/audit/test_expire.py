"""What is too old goes, after a record of it is shipped, and the proof stays whole."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.audit.due import Due, due, horizon
from agents.audit.expire import Places, remove, told
from agents.audit.own import OwnTrail
from agents.settings.audit import Retention
from flowrex.audit.proof import Break, Proof, examine
from flowrex.audit.record import Link, follow, read_link
from flowrex.audit.segment import FileId, Opened, prefix
from flowrex.audit.verify import join
from flowrex.s3 import ObjectEntry
from flowrex.testing.s3 import FakeS3
from tests.unit.flowrex.audit.trail import Shipper, Writer

THEN = datetime(2026, 3, 1, tzinfo=UTC)
RULES = {"trading": Retention(timedelta(days=100)), "access": Retention(timedelta(days=10), True)}


def entry(days: int, category: str = "trading") -> ObjectEntry:
    name = f"audit/n1/{category}/1-2-0011223344556677/{days:020d}.jsonl.zst"
    return ObjectEntry(name, 10, THEN + timedelta(days=days))


def keys(entries: list[ObjectEntry], now: datetime) -> list[str]:
    return [one.key for one in chosen(entries, RULES, now)]


def chosen(entries: list[ObjectEntry], rules: dict[str, Retention], now: datetime) -> list[Due]:
    return list(due(entries, rules, horizon(entries, now)))


def test_a_segment_is_due_when_its_classs_time_is_over() -> None:
    entries = [entry(0), entry(1), entry(0, "access"), entry(95, "access"), entry(101)]
    assert keys(entries, THEN + timedelta(days=100, hours=1)) == [entries[0].key, entries[2].key]


def test_a_clock_that_runs_ahead_removes_nothing() -> None:
    assert keys([entry(0), entry(50)], THEN + timedelta(days=36_500)) == []


def test_a_class_without_a_rule_is_kept() -> None:
    assert keys([entry(0, "agent"), entry(5000)], THEN + timedelta(days=5000)) == []


@pytest.fixture
def bucket(tmp_path: Path) -> Any:
    """A bucket with three segments of a node, put at `THEN`, and an empty archive."""
    store, shipper, writer = FakeS3(), Shipper(), Writer(Link("a" * 32))
    store.now = THEN
    store.ensure_bucket("logs", object_lock=True)
    store.ensure_bucket("archive")
    for inode in range(3):
        key = shipper.ship(FileId(1, inode, "0" * 16), writer.lines(2))
        put(store, shipper, key)
    return store, shipper


def put(store: FakeS3, shipper: Shipper, key: str) -> None:
    body = shipper.objects[key]
    head = Opened([body]).head
    store.put(
        "logs",
        key,
        body,
        sha256=hashlib.sha256(body).hexdigest(),
        metadata=head.metadata(),
        retain_until=store.now + timedelta(days=100),
    )


def places(store: FakeS3) -> Places:
    def client() -> Any:
        return store

    return Places(client, "logs", "archive")


def proof(store: FakeS3) -> list[Break]:
    results = []
    for one in store.list("logs", prefix("n1")):
        with store.stream("logs", one.key) as pieces:
            results.append(examine(one.key, pieces))
    bad = [one for one in results if isinstance(one, Break)]
    return bad + join([one for one in results if isinstance(one, Proof)])


@pytest.mark.parametrize("move", [False, True])
def test_the_trail_is_whole_before_and_after(bucket: Any, tmp_path: Path, move: bool) -> None:
    store, shipper = bucket
    later = THEN + timedelta(days=101)
    store.now = later
    rules = {"trading": Retention(timedelta(days=100), move)}
    own = OwnTrail(tmp_path / "own")
    entries = [*store.list("logs", prefix("n1")), entry(101, "other")]
    old = chosen(entries, rules, later)[:2]
    ready = told(places(store), old, own, later)
    assert len(ready) == 2
    lines = next((tmp_path / "own").iterdir()).read_bytes().splitlines(keepends=True)
    put(store, shipper, shipper.ship(FileId(9, 9, "9" * 16), lines, category="agent"))
    assert proof(store) == []
    assert remove(places(store), ready) == 2
    assert proof(store) == []
    assert list(store.versions("logs", old[0].key)) == []
    moved = [one.key for one in store.list("archive")]
    assert moved == (sorted(one.key for one in old) if move else [])


def test_what_is_locked_still_is_neither_told_nor_removed(bucket: Any, tmp_path: Path) -> None:
    store, _ = bucket
    now = THEN + timedelta(days=60)
    store.now = now
    old = chosen(
        [*store.list("logs", prefix("n1")), entry(60, "other")],
        {"trading": Retention(timedelta(days=50))},
        now,
    )
    assert len(old) == 3
    assert told(places(store), old, OwnTrail(tmp_path / "own"), now) == []
    assert remove(places(store), old) == 0
    assert proof(store) == []


def test_what_is_not_as_it_was_shipped_is_neither_told_nor_removed(
    bucket: Any, tmp_path: Path
) -> None:
    store, _ = bucket
    later = store.now = THEN + timedelta(days=101)
    entries = list(store.list("logs", prefix("n1")))
    store.corrupt("logs", entries[0].key, b"something else")
    rules = {"trading": Retention(timedelta(days=100))}
    old = chosen([*entries, entry(101, "other")], rules, later)
    ready = told(places(store), old, OwnTrail(tmp_path / "own"), later)
    assert [one.key for one in ready] == [one.key for one in entries[1:]]


def test_the_agents_own_records_are_one_chain_over_files(tmp_path: Path) -> None:
    store = FakeS3()
    store.ensure_bucket("logs", object_lock=True)
    own = OwnTrail(tmp_path / "own")
    from flowrex.audit.record import Record

    for number in range(3):
        own.write(Record(time=THEN, kind="expired", detail={"number": number}))
        own.close()
    files = sorted((tmp_path / "own").iterdir())
    assert len(files) == 3
    lines = [path.read_bytes() for path in files]
    first = read_link(lines[0])
    assert first is not None
    link = first.link
    for line in lines[1:]:
        link = follow(line, link)
    assert own.old_files() == files[:2]
