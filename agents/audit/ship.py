"""One sink's walk: choose a file, cut, spool, deliver, and only then move the cursor.

The spool is what makes a retry the same retry: the segment is on disk, whole, before anything is
sent, so that it is sent again byte for byte after a crash, also where its file is gone by then.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from agents.audit.choose import Choice, Readiness, choose
from agents.audit.cut import Bounds, Cut, cut
from agents.audit.recover import Fit, compare, from_sink, gone, merged, still_missing
from agents.audit.spool import Spool
from agents.audit.tail import Tail
from agents.cursor import Cursor, CursorDamaged, Loss, Position, load, save
from agents.sinks.sink import Occupied, Segment, Sink, Stored
from flowrex.audit.segment import FileId, Head, compress_head, prefix

log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What a sink has done since the agent started."""

    segments: int = 0
    lines: int = 0
    quarantined: int = 0
    bytes: int = 0
    sent: int = 0
    conflicts: int = 0


@dataclass
class Shipper:
    """One sink and its cursor. One step is done at a time, by whichever thread.

    Attributes:
        sink: where to.
        tail: the files.
        folder: of the cursor and the spool.
        node: the node's name.
        bounds: how much is cut at once.
        readiness: when a file's bytes are cut.
        now: tells the time.
        monotonic: tells seconds that never jump.
        counts: what was done.
        cursor: how far it has come; None before it is known.
        begun: whether the cursor was compared with the sink.
        got_on: when a long look at the sink last got on, monotonic.
    """

    sink: Sink
    tail: Tail
    folder: Path
    node: str
    bounds: Bounds
    readiness: Readiness
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    counts: Counts = field(default_factory=Counts)
    cursor: Cursor | None = None
    begun: bool = False
    got_on: float = float("-inf")
    _busy: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _cursor_path(self) -> Path:
        return self.folder / "cursor"

    @property
    def _spool(self) -> Spool:
        return Spool(self.folder / "segment")

    def begin(self) -> Cursor:
        """Find out how far the sink has come; called before the first step, and again if it fails.

        Raises:
            FlowrexError: the sink can't be asked.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            cursor = load(self._cursor_path)
        except CursorDamaged as error:
            log.error("a cursor is damaged", extra={"sink": self.sink.name, "error": str(error)})
            cursor = None
        spooled = self._spool.pending(cursor)
        if spooled and cursor:
            # Sent or not before the crash: delivering it again makes sure of either.
            self.cursor = cursor
            self._deliver(spooled)
            cursor = self.cursor
        cursor = self._compared(cursor)
        if cursor.missing and not still_missing(cursor, self.sink):
            log.warning("a missing segment is there again", extra={"key": cursor.missing.key})
            cursor = replace(cursor, missing=None)
            self._commit(cursor)
        self.cursor, self.begun = cursor, True
        return cursor

    def step(self, *, flush: bool = False) -> int:
        """Ship one segment.

        Args:
            flush: ship also what would wait for more.

        Returns:
            The bytes that were sent; 0 where there is nothing to ship now.

        Raises:
            FlowrexError: it could not be delivered.
            OSError: the disk is full, or fails.
        """
        with self._busy:
            return self._step(flush)

    def _step(self, flush: bool) -> int:
        cursor = self.cursor if self.begun and self.cursor else self.begin()
        if spooled := self._spool.pending(cursor):
            return self._deliver(spooled)
        segment = self._next(cursor, flush)
        if segment is None:
            return 0
        self._spool.put(segment)
        return self._deliver(segment)

    def lose(self, losses: Mapping[FileId, Loss]) -> None:
        """Take note, for good, of what can't be shipped any more."""
        with self._lock:
            assert self.cursor is not None
            self._commit(replace(self.cursor, lost={**self.cursor.lost, **losses}))

    def prune(self, kept: Collection[FileId], before: float) -> None:
        """Drop the positions of files that are gone and were not moved for long.

        Args:
            kept: the files that there are.
            before: seconds since the epoch.
        """
        with self._lock:
            if self.cursor is not None:
                self._commit(self.cursor.pruned(kept, before))

    def _next(self, cursor: Cursor, flush: bool) -> Segment | None:
        now = self.monotonic()
        cursor = self._cut_back(cursor)
        for choice in choose(self.tail.readable(), cursor, self.readiness, now, flush=flush):
            final = choice.idle or self.tail.finished(choice.file, now)
            with self.tail.pinned(choice.file) as pinned:
                if not pinned:
                    continue
                made = cut(choice.file.read, choice.offset, self.bounds, final=final)
                # Cut off while it was read: what came may be of two files. The next poll sees it.
                if made is not None and choice.file.same():
                    return self._segment(cursor, choice, made)
        return None

    def _cut_back(self, cursor: Cursor) -> Cursor:
        """Let a file that is shorter than what was shipped of it go on as another from its end.

        A writer does that which takes back what it could not write whole. What was shipped stays.
        """
        for file in self.tail.readable():
            name = cursor.generation(file.id)
            position = cursor.files.get(name)
            if position is None:
                continue
            # As it is now: a step reads on beyond what the last poll saw.
            end = file.end()
            if position.offset <= end or not file.same(end):
                continue
            log.error("a file is shorter than what was shipped", extra={"path": str(file.path)})
            again = replace(name, generation=name.generation + 1)
            begun = Position(end, end, str(file.path), category=file.category)
            with self._lock:
                cursor = self.cursor or cursor
                cursor = replace(cursor, files={**cursor.files, again: begun})
                self._commit(cursor)
        return cursor

    def _segment(self, cursor: Cursor, choice: Choice, made: Cut) -> Segment:
        head = Head(
            node=self.node,
            category=choice.file.category,
            number=cursor.number + 1,
            predecessor=cursor.digest,
            file=choice.id,
            path=str(choice.file.path),
            origin=choice.origin,
            start=made.start,
            end=made.end,
            lines=made.lines,
            quarantined=made.quarantined,
            content=made.content,
            created=self.now().isoformat(timespec="milliseconds"),
        )
        body = compress_head(head) + made.frame
        return Segment(head, body, hashlib.sha256(body).hexdigest())

    def _deliver(self, segment: Segment) -> int:
        head = segment.head
        try:
            self.sink.deliver(segment)
        except Occupied as occupied:
            self._resolve(head, occupied.stored)
            return 1  # nothing was sent, and there is more to do
        position = Position(
            head.end,
            head.origin,
            head.path,
            head.start,
            head.content,
            self.now().timestamp(),
            head.category,
        )
        with self._lock:
            assert self.cursor is not None
            moved = self.cursor.moved(head.number, segment.digest, head.key, head.file, position)
            self._commit(moved)
        self.counts.segments += 1
        self.counts.lines += head.lines
        self.counts.quarantined += head.quarantined
        self.counts.bytes += head.end - head.start
        self.counts.sent += len(segment.body)
        return len(segment.body)

    def _commit(self, cursor: Cursor) -> None:
        save(self._cursor_path, cursor)
        self.cursor = cursor

    def _resolve(self, head: Head, stored: Stored) -> None:
        """Go on where another segment begins at the same byte of the same file.

        Either it is of these very bytes, shipped before the cursor was lost, and then it is taken
        for what it is. Or the file has other bytes now than when it was shipped: both are kept.
        """
        there = stored.head
        same = any(
            file.id == replace(head.file, generation=0)
            and file.holds(there.start, there.end, there.content)
            for file in self.tail.readable()
        )
        log.log(
            logging.WARNING if same else logging.ERROR,
            "a segment was there already" if same else "a shipped file has other bytes now",
            extra={"sink": self.sink.name, "key": there.key, "path": head.path},
        )
        cursor = self._made_anew(self.cursor)
        if not same:
            self.counts.conflicts += 1
            self._spool.set_aside(stored.digest)
            newest = cursor.generation(replace(head.file, generation=0))
            again = replace(newest, generation=newest.generation + 1)
            begun = Position(head.origin, head.origin, head.path, category=head.category)
            files_now = {**cursor.files, again: begun}
            cursor = replace(cursor, files=files_now)
        with self._lock:
            self._commit(cursor)

    def _compared(self, cursor: Cursor | None) -> Cursor:
        """Return a cursor that fits the sink: this one, or another.

        All of a sink is read only where there is a reason for it, since that may be a lot: no
        cursor, or one whose folder has no segment beside it that says the same.
        """
        if cursor is None or not (self._is_ours(cursor) and self._spool.vouches(cursor)):
            return self._made_anew(cursor)
        if self.sink.find([]) is None:
            return cursor
        new = [
            (file.category, file.id) for file in self.tail.readable() if file.id not in cursor.files
        ]
        fit = compare(cursor, self.sink, self.node, new)
        if fit is Fit.BEHIND:
            return self._made_anew(cursor)
        if fit is Fit.AHEAD:
            cursor = gone(cursor)
            self._commit(cursor)
        return cursor

    def _gets_on(self) -> None:
        self.got_on = self.monotonic()

    def _is_ours(self, cursor: Cursor) -> bool:
        """Tell whether a cursor is of this node's chain: a machine may get another name."""
        return cursor.key.startswith(prefix(self.node))

    def _made_anew(self, cursor: Cursor | None) -> Cursor:
        if cursor is not None and self.sink.find([]) is None:
            return cursor  # a sink that can't tell what it has: what is remembered is all there is
        anew = from_sink(self.sink, self.node, cursor, self._gets_on)
        if cursor is not None and self._is_ours(cursor):
            anew = merged(cursor, anew)
        with self._lock:
            if self.cursor is not None:  # what was lost may have been noted in the meantime
                anew = replace(anew, lost=self.cursor.lost)
            self._commit(anew)
        return anew
