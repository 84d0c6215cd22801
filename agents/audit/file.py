"""One audit file, kept open from its discovery, so that it can be read after it is removed."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from flowrex.audit.segment import FileId

FIRST_BYTES = 4096
_MOST_MARKS = 256
_BLOCK = 1 << 20


@dataclass(eq=False)
class AuditFile:
    """A file, known by device and inode while it is open: an open file's inode is not used again.

    Attributes:
        path: the last name that led to it.
        category: the class of its records.
        descriptor: an open one; -1 while the file is at rest.
        device: its file system's number.
        inode: its number there.
        size: bytes seen so far.
        modified: when it was last written, by the file system's clock, in nanoseconds.
        seen: the monotonic time at which it last grew.
        gone: no name in the patterns leads to it any more.
        truncated: it was cut off, and what was in it can't be read any more.
        fingerprint: digest of its first bytes; empty while it has no first line.
        pins: how many read it at the moment.
        copy: where its rest was saved, which is then what is read; None for a file itself.
        marks: sizes and the times at which they were seen, oldest first.
    """

    path: Path
    category: str
    descriptor: int
    device: int
    inode: int
    size: int = 0
    modified: int = 0
    seen: float = 0
    gone: bool = False
    truncated: bool = False
    fingerprint: str = ""
    marks: list[tuple[int, float]] = field(default_factory=list)
    pins: int = 0
    copy: Path | None = None
    _first: int = 0

    @property
    def id(self) -> FileId:
        """Which file it is; only with a fingerprint."""
        return FileId(self.device, self.inode, self.fingerprint)

    def read(self, at: int, size: int) -> bytes:
        """Return up to `size` bytes from the offset `at`; a short read is the end of the file."""
        pieces = []
        while size > 0 and (piece := os.pread(self.descriptor, size, at)):
            pieces.append(piece)
            at += len(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end(self) -> int:
        """Return how long it is now; the last poll may have seen less."""
        return os.fstat(self.descriptor).st_size

    def holds(self, start: int, end: int, content: str) -> bool:
        """Tell whether the bytes from `start` to `end` are those with this SHA-256, in hex."""
        digest = hashlib.sha256()
        while start < end and (block := self.read(start, min(_BLOCK, end - start))):
            digest.update(block)
            start += len(block)
        return start == end and digest.hexdigest() == content

    def look(self, now: float) -> None:
        """Take note of how far it has grown, or that it was cut off.

        Args:
            now: the monotonic time in seconds.
        """
        status = os.fstat(self.descriptor)
        if status.st_size == self.size and status.st_mtime_ns == self.modified:
            return
        if not self.same(status.st_size):
            self.truncated = True
            return
        if status.st_size > self.size:
            self.seen = now
            self._mark(status.st_size, now)
        self.size, self.modified = status.st_size, status.st_mtime_ns
        if not self.fingerprint:
            self.identify(whole=False)

    def same(self, least: int | None = None) -> bool:
        """Tell whether the file is still the one that was read: not shorter, and begins alike.

        Args:
            least: its size now, where it is known.
        """
        size = self.end() if least is None else least
        return size >= self.size and (
            not self.fingerprint or _digest(self.read(0, self._first)) == self.fingerprint
        )

    def identify(self, *, whole: bool) -> None:
        """Take the fingerprint, once there is a first line.

        Args:
            whole: nothing more will be written: what there is, is the first line.
        """
        first = self.read(0, FIRST_BYTES)
        end = first.find(b"\n") + 1
        if end or len(first) == FIRST_BYTES or (whole and first):
            self._first = end or len(first)
            self.fingerprint = _digest(first[: self._first])

    def waiting_since(self, offset: int) -> float | None:
        """Return when the byte at `offset` was first seen, or None where it is not there yet."""
        if offset >= self.size:
            return None
        return next((seen for size, seen in self.marks if size > offset), self.seen)

    def _mark(self, size: int, now: float) -> None:
        self.marks.append((size, now))
        if len(self.marks) > _MOST_MARKS:
            # The older half is kept coarsely: a byte then counts as older than it is.
            half = _MOST_MARKS // 2
            older = [(self.marks[at + 1][0], self.marks[at][1]) for at in range(0, half, 2)]
            self.marks[:half] = older

    def read_from(self, copy: Path) -> None:
        """Read from a copy of it from now on; who reads it just now does not notice.

        Raises:
            OSError: the copy can't be opened.
        """
        descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(descriptor, self.descriptor, inheritable=False)
        os.close(descriptor)
        self.copy = copy

    def close(self) -> None:
        """Close it; what was not read of a removed file is gone then."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def open_file(path: Path, category: str, now: float) -> AuditFile | None:
    """Open a file of the patterns.

    Args:
        path: its name.
        category: the class of its records.
        now: the monotonic time in seconds.

    Returns:
        The file, or None where it is gone again or is no plain file.

    Raises:
        OSError: it can't be opened.
    """
    try:
        # Without O_NONBLOCK a named pipe would wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    file = AuditFile(path, category, descriptor, status.st_dev, status.st_ino, seen=now)
    file.look(now)
    return file


def _digest(first: bytes) -> str:
    return hashlib.sha256(first).hexdigest()[:16]
