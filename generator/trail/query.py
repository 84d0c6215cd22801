"""Which records are asked for. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flowrex.audit.segment import Opened, original


@dataclass(frozen=True)
class Query:
    """What a record must be to be found; what is empty does not matter.

    Attributes:
        user: its actor.
        request_id: its request.
        since: not before.
        until: before.
        path: how its path begins.
        kind: what it is.
    """

    user: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    path: str = ""
    kind: str = ""

    def matches(self, record: dict[str, Any]) -> bool:
        """Tell whether a record is asked for."""
        if self.user and record.get("actor") != self.user:
            return False
        if self.request_id and record.get("request_id") != self.request_id:
            return False
        if self.kind and record.get("kind") != self.kind:
            return False
        if self.path and not str(record.get("path", "")).startswith(self.path):
            return False
        return self._in_time(record)

    def may_be_in(self, line: bytes) -> bool:
        """Tell by its bytes whether a line is worth parsing."""
        return all(
            json.dumps(text)[1:-1].encode("ascii") in line
            for text in (self.user, self.request_id)
            if text
        )

    def _in_time(self, record: dict[str, Any]) -> bool:
        if self.since is None and self.until is None:
            return True
        try:
            time = datetime.fromisoformat(str(record["time"]))
        except (KeyError, ValueError):
            return False  # what has no time is in no span of time
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        after = self.since is None or time >= self.since
        return after and (self.until is None or time < self.until)


def found(query: Query, pieces: Iterator[bytes]) -> list[dict[str, Any]]:
    """Return the records of one segment that are asked for.

    Quarantined lines are no records; `quarantined` has those.

    Args:
        query: what is asked for.
        pieces: the segment's bytes.

    Raises:
        SegmentDamaged: it is no segment.
    """
    records = []
    for line in Opened(pieces).lines():
        if not query.may_be_in(line):
            continue
        record = json.loads(line)
        if "quarantined" not in record and query.matches(record):
            records.append(record)
    return records


def quarantined(pieces: Iterator[bytes]) -> list[dict[str, Any]]:
    """Return the quarantined lines of one segment, each with its file and its bytes as text."""
    opened = Opened(pieces)
    if not opened.head.quarantined:
        return []
    held = []
    for line in opened.lines():
        raw = original(line)
        if raw is not line:
            said = json.loads(line)["quarantined"]
            del said["base64"]
            text = raw.decode("utf-8", "backslashreplace")
            held.append({"node": opened.head.node, "path": opened.head.path, **said, "text": text})
    return held


def by_time(record: dict[str, Any]) -> tuple[str, str, int]:
    """Return what records are sorted by: time, then chain and number."""
    seq = record.get("seq")
    place = seq if isinstance(seq, int) else 0
    return (str(record.get("time", "")), str(record.get("chain", "")), place)
