"""What one segment alone shows: that it is what was shipped, and what its records are. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from flowrex.audit.record import ChainBroken, Linked, read_link
from flowrex.audit.segment import Head, Opened, SegmentDamaged, original
from flowrex.audit.summary import Run, Summary, removed

# The class of the agents' own records; the removal of a segment is one of them.
AGENT_CATEGORY = "agent"
EXPIRED_KIND = "expired"


@dataclass(frozen=True, order=True)
class Break:
    """A place where the trail is not what it was.

    Attributes:
        node: whose chain.
        number: the segment's number in it; 0 where that is unknown.
        key: the object, or the empty text where it is missing.
        problem: what does not fit, in a sentence.
    """

    node: str
    number: int
    key: str
    problem: str


@dataclass(frozen=True)
class Proof(Summary):
    """What one object shows.

    Attributes:
        unchained: lines that are of no chain.
        expired: by number, the removed segments that it tells of.
    """

    unchained: int
    expired: Mapping[int, Summary] = field(default_factory=dict)


def examine(key: str, chunks: Iterable[bytes]) -> Proof | Break:
    """Read one object to its end and check all that it alone can show.

    Args:
        key: its name.
        chunks: its bytes, in pieces.
    """
    node = key.split("/")[1] if "/" in key else ""
    number = 0
    try:
        opened = Opened(chunks)
        head, number = opened.head, opened.head.number
        if head.key != key:
            raise SegmentDamaged(f"its head says that it is {head.key}")
        reading = _Reading(head)
        for line in opened.lines():
            reading.take(line)
        reading.end()
        return Proof(key, head, opened.digest(), reading.runs, reading.unchained, reading.expired)
    except (SegmentDamaged, ChainBroken) as error:
        return Break(node, number, key, error.message)


class _Reading:
    """The state of reading one segment's lines."""

    def __init__(self, head: Head) -> None:
        self.runs: dict[str, Run] = {}
        self.unchained = 0
        self.expired: dict[int, Summary] = {}
        self._head = head
        self._hash = hashlib.sha256()
        self._lines = 0
        self._bytes = 0

    def take(self, line: bytes) -> None:
        raw = original(line)
        self._hash.update(raw)
        self._bytes += len(raw)
        self._lines += 1
        linked = read_link(line)
        if linked is None:
            self.unchained += 1
            return
        self._follow(linked)
        if self._head.category == AGENT_CATEGORY and b'"kind":"expired"' in line:
            self._note_expired(line)

    def _follow(self, linked: Linked) -> None:
        link = linked.link
        before = self.runs.get(link.chain)
        if before is None:
            self.runs[link.chain] = Run(link.seq, linked.prev, link.seq, link.hash)
            return
        if problem := misfit(before, link.seq, linked.prev, link.chain):
            raise ChainBroken(problem)
        self.runs[link.chain] = Run(before.first, before.prev, link.seq, link.hash)

    def _note_expired(self, line: bytes) -> None:
        record: dict[str, Any] = json.loads(line)
        if record["kind"] == EXPIRED_KIND:
            with suppress(SegmentDamaged):  # what it does not tell, it does not excuse
                collect(self.expired, removed(record["detail"]))

    def end(self) -> None:
        head = self._head
        if self._bytes != head.end - head.start or self._hash.hexdigest() != head.content:
            raise SegmentDamaged("its content is not what its head says: it was changed or cut off")
        if self._lines != head.lines:
            raise SegmentDamaged(f"it has {self._lines} lines; its head says {head.lines}")


def collect(expired: dict[int, Summary], told: Summary) -> None:
    """Add a removed segment to those that are known, where a part of it may be known already.

    Args:
        expired: by number, what is known.
        told: what one record tells.
    """
    number = told.head.number
    before = expired.get(number)
    if before is not None and before.digest == told.digest:
        told = replace(told, runs={**before.runs, **told.runs})
    expired[number] = told


def misfit(before: Run, seq: int, prev: str, chain: str) -> str:
    """Return why a record does not follow, or the empty text where it does.

    Args:
        before: the records that it should follow.
        seq: its number.
        prev: the hash that it names.
        chain: the chain's name.
    """
    if seq != before.last + 1:
        what = "is there a second time" if seq <= before.last else "does not follow"
        return f"record {seq} of the chain {chain} {what}, after record {before.last}"
    if prev != before.hash:
        return f"record {seq} of the chain {chain} names another record {before.last} than this one"
    return ""
