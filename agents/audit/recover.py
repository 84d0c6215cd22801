"""A cursor made anew from what a sink holds: the sink is the truth, the cursor only remembers."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from agents.cursor import Cursor, Position
from agents.sinks.sink import Sink, Stored
from flowrex.audit.segment import FileId

log = logging.getLogger(__name__)


@dataclass
class _Found:
    """What was found so far."""

    last: Stored | None = None
    count: int = 0
    files: dict[FileId, Position] = field(default_factory=dict)


def from_sink(sink: Sink, node: str, before: Cursor | None = None) -> Cursor:
    """Return the cursor that fits what a sink holds of a node.

    Args:
        sink: the sink.
        node: the node.
        before: the cursor so far, whose paths are kept: the sink does not know them.

    Raises:
        FlowrexError: the sink can't be asked, or what it says is no segment.
    """
    began, found = time.monotonic(), _Found()
    known = before.files if before else {}
    for stored in sink.stored(node):
        head = stored.head
        found.count += 1
        if found.last is None or head.number > found.last.head.number:
            found.last = stored
        there = found.files.get(head.file)
        if there is None or head.end > there.offset:
            path = known[head.file].path if head.file in known else ""
            found.files[head.file] = Position(
                head.end, head.origin, path, head.start, head.content, time.time()
            )
    log.log(
        logging.WARNING if found.count else logging.INFO,
        "the cursor was made anew from what the sink holds",
        extra={
            "sink": sink.name,
            "segments": found.count,
            "seconds": round(time.monotonic() - began, 1),
        },
    )
    if found.last is None:
        return Cursor()
    number = found.last.head.number
    return Cursor(number, found.last.digest, found.files, number - found.count)


def fits(cursor: Cursor, sink: Sink, node: str) -> bool:
    """Tell whether a sink holds as many segments as a cursor says; true where it can't tell.

    A cursor from an older copy of the machine would fork the chain.
    """
    count = sink.count(node)
    return count is None or count == cursor.number - cursor.removed
