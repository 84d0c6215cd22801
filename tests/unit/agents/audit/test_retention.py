"""Looking for what is too old: a portion at a time, however much there is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.audit import retention
from agents.audit.expire import Places
from agents.audit.own import OwnTrail
from agents.audit.retention import AuditRetention
from agents.context import Context
from agents.sinks.s3 import S3Sink
from agents.supervised import Beat
from flowrex.audit.record import Link
from flowrex.audit.segment import FileId, Opened
from flowrex.s3 import ObjectEntry, ObjectHead
from flowrex.testing.s3 import FakeS3
from tests.unit.flowrex.audit.trail import Shipper, Writer

NODE = "n1"
KEEP = timedelta(days=5000)


class Asked(FakeS3):
    """Remembers what was asked, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def list(
        self, bucket: str, prefix: str = "", *, start_after: str = ""
    ) -> Iterator[ObjectEntry]:
        for entry in super().list(bucket, prefix, start_after=start_after):
            self.asked.append("listed")
            yield entry

    def head(self, bucket: str, key: str) -> ObjectHead | None:
        self.asked.append("head")
        return super().head(bucket, key)


@pytest.fixture
def store() -> Asked:
    """A bucket with eight segments of two files."""
    store, shipper, writer = Asked(), Shipper(NODE), Writer(Link("a" * 32))
    store.ensure_bucket("logs", object_lock=True)
    for number in range(8):
        key = shipper.ship(FileId(1, number % 2, "0" * 16), writer.lines(1))
        body = shipper.objects[key]
        metadata = Opened([body]).head.metadata()
        digest = hashlib.sha256(body).hexdigest()
        FakeS3.put(store, "logs", key, body, sha256=digest, metadata=metadata)
    return store


def given(store: Asked) -> Any:
    return store


async def test_segments_are_removed_in_portions_while_more_are_listed(
    context: Context, store: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    now = store.now + KEEP
    # The newest object shows that time has passed.
    store.now = now
    store.put("logs", f"audit/{NODE}/other/1-2-{'3' * 16}/{0:020d}.jsonl.zst", b"x")
    portions: list[int] = []

    async def shipped() -> bool:
        portions.append(store.asked.count("listed"))
        return True

    task = AuditRetention(
        replace(context, node=NODE, clock=Clock(context.clock, now)),
        Places(lambda: given(store), "logs"),
        OwnTrail(tmp_path / "own"),
        interval_s=86_400,
        shipped=shipped,
    )
    assert await task.look(Beat(context.clock)) == 8
    assert portions == sorted(set(portions))
    assert portions[0] < portions[-1], "all is listed before the first is removed"
    assert len(portions) == 3
    assert len(store.contents("logs")) == 1
    assert task.status()["last"]["due"] == 8


def test_a_lost_cursor_asks_about_each_file_and_not_about_each_segment(store: Asked) -> None:
    sink = S3Sink(lambda: given(store), "logs", retention={}, lock=None, now=lambda: store.now)
    gets_on: list[int] = []
    found = list(sink.ends(NODE, lambda: gets_on.append(1)))
    assert [(one.head.file.inode, one.head.number) for one in found] == [(0, 7), (1, 8)]
    assert store.asked.count("head") == 2
    assert len(gets_on) == 8


class Clock:
    """Another clock's, but for the time of day."""

    def __init__(self, clock: Any, now: Any) -> None:
        self.now = lambda: now
        self.monotonic = clock.monotonic
        self.sleep = clock.sleep
