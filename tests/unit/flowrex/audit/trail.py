"""A small trail, made by hand as an agent would ship it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flowrex.audit.record import Detail, Link, Record, append
from flowrex.audit.segment import NO_PREDECESSOR, FileId, Head, compress_head, compressor

TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Writer:
    """A process that writes a chain of its own."""

    link: Link

    def lines(self, count: int, kind: str = "request", **detail: Detail) -> list[bytes]:
        """Return so many lines more."""
        made = []
        for _ in range(count):
            record = Record(
                time=TIME, kind=kind, path="/orders", actor="desk-7", detail=dict(detail)
            )
            line, self.link = append(record, self.link)
            made.append(line)
        return made


@dataclass
class Shipper:
    """A node's chain of segments, in memory."""

    node: str = "n1"
    number: int = 0
    predecessor: str = NO_PREDECESSOR
    ends: dict[FileId, int] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)

    def ship(self, file: FileId, lines: list[bytes], category: str = "trading") -> str:
        """Put one segment with these lines of a file and return its name."""
        raw = b"".join(lines)
        start = self.ends.get(file, 0)
        self.number += 1
        head = Head(
            node=self.node,
            category=category,
            number=self.number,
            predecessor=self.predecessor,
            file=file,
            path="/alloc/audit/a.jsonl",
            origin=0,
            start=start,
            end=start + len(raw),
            lines=len(lines),
            quarantined=0,
            content=hashlib.sha256(raw).hexdigest(),
            created="2026-03-01T12:00:00Z",
        )
        frame = compressor()
        body = compress_head(head) + frame.compress(raw) + frame.flush()
        self.objects[head.key] = body
        self.predecessor = hashlib.sha256(body).hexdigest()
        self.ends[file] = head.end
        return head.key
