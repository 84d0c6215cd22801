"""Cut the next range of a file: read block by block, sift, hash and compress as it is read.

Memory does not grow with the file or with a line: a block is at most the longest line and its
newline, so a line without a newline in a block that begins with it is too long, and is kept in
pieces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from agents.audit.lines import TOO_LONG, UNTERMINATED, count_good, sift
from flowrex.audit.segment import compressor, quarantine

# Returns at most so many bytes (second) from an offset (first); fewer at the end of the file.
Read = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Bounds:
    """How much is cut at once.

    Attributes:
        bytes: of the file; a cut is closed by the block that reaches it.
        lines: likewise.
        longest_line: bytes of a line, its newline not counted.
    """

    bytes: int = 8 << 20
    lines: int = 100_000
    longest_line: int = 1 << 20


@dataclass(frozen=True)
class Cut:
    """A range of a file, ready to be put.

    Attributes:
        start: its first byte's offset.
        end: the offset behind its last.
        lines: how many lines its content has.
        quarantined: how many of them are quarantined.
        content: SHA-256 of the range.
        frame: the content, compressed.
    """

    start: int
    end: int
    lines: int
    quarantined: int
    content: str
    frame: bytes


def cut(read: Read, start: int, bounds: Bounds, *, final: bool = False) -> Cut | None:
    """Return the next range, or None where there is nothing to ship yet.

    Args:
        read: reads the file.
        start: where to begin.
        bounds: how much.
        final: nothing will be added to the file: a last line without a newline is taken as it is.
    """
    taking = _Taking(start)
    inside = start > 0 and read(start - 1, 1) != b"\n"
    while taking.at - start < bounds.bytes and taking.lines < bounds.lines:
        block = read(taking.at, bounds.longest_line + 1)
        if not block:
            break
        full = len(block) > bounds.longest_line
        if inside:
            end = block.find(b"\n") + 1
            if not end and not full and not final:
                break
            taking.bad(block[: end or len(block)], TOO_LONG)
            inside = not end
            continue
        end = block.rfind(b"\n") + 1
        if end:
            taking.whole_lines(block if end == len(block) else block[:end])
        elif full:
            taking.bad(block, TOO_LONG)
            inside = True
        elif final:
            taking.bad(block, UNTERMINATED)
        else:
            break
    return taking.close() if taking.at > start else None


class _Taking:
    """What was taken so far."""

    def __init__(self, start: int) -> None:
        self.at = start
        self.lines = 0
        self._start = start
        self._quarantined = 0
        self._hash = hashlib.sha256()
        self._compressor = compressor()
        self._frame: list[bytes] = []

    def whole_lines(self, block: bytes) -> None:
        lines, quarantined, content = count_good(block), 0, block
        if lines is None:
            content, lines, quarantined = sift(block, self.at)
        self._take(block, content, lines, quarantined)

    def bad(self, piece: bytes, reason: str) -> None:
        self._take(piece, quarantine(piece, self.at, reason), 1, 1)

    def _take(self, raw: bytes, content: bytes, lines: int, quarantined: int) -> None:
        self._hash.update(raw)
        if compressed := self._compressor.compress(content):
            self._frame.append(compressed)
        self.at += len(raw)
        self.lines += lines
        self._quarantined += quarantined

    def close(self) -> Cut:
        self._frame.append(self._compressor.flush())
        return Cut(
            self._start,
            self.at,
            self.lines,
            self._quarantined,
            self._hash.hexdigest(),
            b"".join(self._frame),
        )
