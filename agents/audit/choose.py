"""Which file is shipped next, and from where. Pure but for reading the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.audit.begin import beginning
from agents.audit.file import AuditFile
from agents.cursor import Cursor, Position
from flowrex.audit.segment import FileId


@dataclass(frozen=True)
class Readiness:
    """When what is in a file is cut.

    Attributes:
        bytes: so many are enough.
        age_s: or so many seconds since the oldest of them was seen.
        partial_s: seconds without growth after which half a line is shipped as it is.
    """

    bytes: int = 8 << 20
    age_s: float = 5
    partial_s: float = 600


@dataclass(frozen=True)
class Choice:
    """A file that has something to ship.

    Attributes:
        file: the file.
        id: what it is called in the sink.
        origin: where its shipping began.
        offset: where to go on.
        since: when the byte there was first seen.
        idle: it has not grown for so long that half a line is not waited for.
    """

    file: AuditFile
    id: FileId
    origin: int
    offset: int
    since: float
    idle: bool


def choose(
    files: Sequence[AuditFile], cursor: Cursor, when: Readiness, now: float, *, flush: bool
) -> list[Choice]:
    """Return the files that are ready, the one whose first unshipped byte is the oldest first.

    Args:
        files: what can be read.
        cursor: how far the sink has come.
        when: what is ready.
        now: the monotonic time in seconds.
        flush: whatever is there is ready.
    """
    waiting = [choice for file in files if (choice := waits(file, files, cursor, when, now))]
    ready = [
        one
        for one in waiting
        if flush
        or one.file.gone
        or one.file.size - one.offset >= when.bytes
        or now - one.since >= when.age_s
    ]
    return sorted(ready, key=lambda one: (one.since, one.file.modified, str(one.file.path)))


def waits(
    file: AuditFile, files: Sequence[AuditFile], cursor: Cursor, when: Readiness, now: float
) -> Choice | None:
    """Return what a file has to ship, or None where it has nothing.

    Args:
        file: the file.
        files: all that can be read.
        cursor: how far the sink has come.
        when: how long half a line is waited for.
        now: the monotonic time in seconds.
    """
    name = cursor.generation(file.id)
    position = cursor.files.get(name)
    if position is None:
        if not file.size:
            return None
        begin = beginning(file, cursor.files, files)
        if begin is None:
            return None
        position = Position(begin.offset, begin.offset)
    since = file.waiting_since(position.offset)
    if since is None:
        return None
    idle = now - file.seen >= when.partial_s
    return Choice(file, name, position.origin, position.offset, since, idle)


def lost(cut_off: AuditFile, files: Sequence[AuditFile], cursor: Cursor) -> int:
    """Return how many bytes of a file were cut off before they were shipped, and are in no copy.

    Args:
        cut_off: the file as it was.
        files: what can be read.
        cursor: how far the sink has come.
    """
    position = cursor.files.get(cursor.generation(cut_off.id), Position(0))
    if not cut_off.fingerprint or position.offset >= cut_off.size:
        return 0
    for file in files:
        if file.fingerprint == cut_off.fingerprint and file.size >= cut_off.size:
            begin = beginning(file, cursor.files, files)
            if begin is not None and begin.offset <= position.offset:
                return 0
    return cut_off.size - position.offset
