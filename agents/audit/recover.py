"""Whether a cursor fits what a sink holds, and one made anew from that.

The sink is the truth of what was shipped, and the cursor of what should be there. So a cursor that
is behind is made anew, and one that is ahead stays: what it has and the sink has not was taken
away, and the next segment has to name it, so that the proof finds the gap.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from agents.cursor import Cursor, Missing, Position
from agents.sinks.sink import Sink, Stored
from flowrex.audit.segment import FileId, key_of

log = logging.getLogger(__name__)

# A machine that went on after its copy was made went on in the files that it wrote last.
_FILES_ASKED = 100


class Fit(Enum):
    """How a cursor and a sink go together."""

    SAME = auto()
    BEHIND = auto()  # the sink has what the cursor does not know
    AHEAD = auto()  # the sink has no more what it acknowledged last


@dataclass
class _Found:
    """What was found so far."""

    last: Stored | None = None
    files: dict[FileId, Position] = field(default_factory=dict)


def from_sink(
    sink: Sink,
    node: str,
    before: Cursor | None = None,
    gets_on: Callable[[], None] = lambda: None,
) -> Cursor:
    """Return the cursor that fits what a sink holds of a node.

    A file's last segment tells all of the file, and the chain's last one is the last of its file.

    Args:
        sink: the sink.
        node: the node.
        before: the cursor so far, whose paths are kept: the sink does not know them.
        gets_on: is called now and then, since this may take long.

    Raises:
        FlowrexError: the sink can't be asked, or what it says is no segment.
    """
    began, found = time.monotonic(), _Found()
    known = before.files if before else {}
    for stored in sink.ends(node, gets_on):
        head = stored.head
        if found.last is None or head.number > found.last.head.number:
            found.last = stored
        there = found.files.get(head.file)
        if there is None or head.end > there.offset:
            path = known[head.file].path if head.file in known else ""
            found.files[head.file] = Position(
                head.end,
                head.origin,
                path,
                head.start,
                head.content,
                time.time(),
                head.category,
            )
    log.log(
        logging.WARNING if found.files else logging.INFO,
        "the cursor was made anew from what the sink holds",
        extra={
            "sink": sink.name,
            "files": len(found.files),
            "seconds": round(time.monotonic() - began, 1),
        },
    )
    if found.last is None:
        return Cursor()
    head = found.last.head
    return Cursor(head.number, found.last.digest, found.files, head.key)


def compare(cursor: Cursor, sink: Sink, node: str, new: Iterable[tuple[str, FileId]]) -> Fit:
    """Tell how a cursor goes together with what a sink holds, with few questions.

    A segment's name follows from where the file's last one ended. So whoever shipped on from this
    cursor, before the machine was set back to a copy of itself, has left one of the names that are
    asked for.

    Args:
        cursor: with the name of its last segment.
        sink: the sink, which can be asked.
        node: the node.
        new: class and name of files that the cursor does not know.

    Raises:
        FlowrexError: the sink can't be asked.
    """
    newest = sorted(cursor.files.items(), key=lambda one: -one[1].used)[:_FILES_ASKED]
    following = [key_of(node, at.category, file, at.offset) for file, at in newest]
    following += [key_of(node, category, file, 0) for category, file in new]
    found = {stored.head.key: stored.digest for stored in sink.find([cursor.key, *following]) or ()}
    if found.keys() - {cursor.key}:
        return Fit.BEHIND
    return Fit.SAME if found.get(cursor.key) == cursor.digest else Fit.AHEAD


def merged(cursor: Cursor, anew: Cursor) -> Cursor:
    """Return the cursor to go on with after another was made anew.

    Args:
        cursor: the one that was there. It knows files whose segments were removed since.
        anew: what the sink holds.
    """
    files = _furthest(cursor.files, anew.files)
    if anew.number > cursor.number or anew.digest == cursor.digest:
        return replace(anew, files=files, missing=cursor.missing, lost=cursor.lost)
    return gone(replace(cursor, files=files))


def gone(cursor: Cursor) -> Cursor:
    """Return a cursor that knows that its last segment was taken away from the sink."""
    log.error(
        "the sink has no more what it had acknowledged: segments were taken away",
        extra={"number": cursor.number, "key": cursor.key},
    )
    return replace(cursor, missing=Missing(cursor.number, cursor.key, cursor.digest))


def still_missing(cursor: Cursor, sink: Sink) -> bool:
    """Tell whether the segment that a cursor knows to be missing is still.

    Raises:
        FlowrexError: the sink can't be asked.
    """
    lost = cursor.missing
    return lost is not None and all(
        stored.digest != lost.digest for stored in sink.find([lost.key]) or ()
    )


def _furthest(
    one: Mapping[FileId, Position], other: Mapping[FileId, Position]
) -> dict[FileId, Position]:
    files = dict(one)
    for file, position in other.items():
        if file not in files or position.offset >= files[file].offset:
            files[file] = position
    return files
