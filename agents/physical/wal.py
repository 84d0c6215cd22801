"""Names of WAL segments, and what is missing between them.

pgBackRest's own `verify` reads the segments that are there. It does not miss one that is not: a
repository without a segment in the middle is "ok" for it. So the archive's listing is looked at
here.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from flowrex.errors import ConfigurationError

_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")
_ARCHIVED = re.compile(r"([0-9A-F]{24})-[0-9a-f]{40}(?:\.[a-z0-9]+)?")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_LOG_BYTES = 1 << 32
DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, order=True)
class Segment:
    """One WAL segment: a timeline, and its place in it counted from the first.

    Attributes:
        timeline: 1 for a new cluster; each recovery begins another.
        number: segments before it, so that neighbours differ by one.
    """

    timeline: int
    number: int

    @classmethod
    def parse(cls, name: str, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> Self:
        """Return the segment of a file's name, 24 hexadecimal digits.

        Raises:
            ConfigurationError: it is no such name.
        """
        found = _SEGMENT.fullmatch(name)
        each = _LOG_BYTES // segment_bytes
        if found is None or int(found[3], 16) >= each:
            raise ConfigurationError(f"{name!r} is no name of a WAL segment")
        timeline, log, place = (int(part, 16) for part in found.groups())
        return cls(timeline, log * each + place)

    @classmethod
    def at(cls, timeline: int, lsn: int, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> Self:
        """Return the segment that holds a position."""
        return cls(timeline, lsn // segment_bytes)

    def name(self, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> str:
        """Return the file's name."""
        log, place = divmod(self.number, _LOG_BYTES // segment_bytes)
        return f"{self.timeline:08X}{log:08X}{place:08X}"


@dataclass(frozen=True)
class Gap:
    """Segments that are missing between two that are there.

    Attributes:
        first: the first that is missing.
        last: the last that is missing.
    """

    first: Segment
    last: Segment

    @property
    def count(self) -> int:
        """How many segments are missing."""
        return self.last.number - self.first.number + 1


def position(lsn: str) -> int:
    """Return an LSN such as `0/3000028` as a number of bytes.

    Raises:
        ConfigurationError: it is none.
    """
    found = _LSN.fullmatch(lsn)
    if found is None:
        raise ConfigurationError(
            f"{lsn!r} is no LSN; expected two hexadecimal numbers, as 0/3000028"
        )
    return int(found[1], 16) * _LOG_BYTES + int(found[2], 16)


def archived(keys: Iterable[str], segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> Iterator[Segment]:
    """Yield the whole segments among an archive's objects.

    History files, backup labels and partial segments are not segments.

    Args:
        keys: object names, as the store lists them.
        segment_bytes: the size of a segment.
    """
    for key in keys:
        if found := _ARCHIVED.fullmatch(key.rsplit("/", 1)[-1]):
            yield Segment.parse(found[1], segment_bytes)


def gaps(segments: Iterable[Segment], required: Iterable[Segment] = ()) -> tuple[Gap, ...]:
    """Return what is missing, in order.

    Within a timeline every segment between the first and the last must be there. A later timeline
    begins in the segment in which it left its parent, so it must reach back to what the parent has.

    Args:
        segments: what the archive holds, sorted as a store lists it; never held all at once.
        required: what it must hold beside: the first and last segment of each backup, and what
            PostgreSQL was told is archived.
    """
    tagged = heapq.merge(
        ((segment, True) for segment in segments),
        ((segment, False) for segment in sorted(set(required))),
    )
    found: list[Gap] = []
    before: Segment | None = None
    for segment, each in itertools.groupby(tagged, key=lambda one: one[0]):
        if before is not None and (between := _between(before, segment)) is not None:
            found.append(between)
        if not any(there for _, there in each):
            found.append(Gap(segment, segment))
        before = segment
    return tuple(_joined(found))


def _between(before: Segment, after: Segment) -> Gap | None:
    """Return what is missing between two that follow each other in the listing."""
    if after.number <= before.number + 1 or after.timeline > before.timeline + 1:
        return None
    # Where the timeline changes, on which of the two it lay can't be told; likely the parent's.
    return Gap(
        Segment(before.timeline, before.number + 1), Segment(before.timeline, after.number - 1)
    )


def _joined(found: Iterable[Gap]) -> Iterator[Gap]:
    """Make one of neighbours."""
    current: Gap | None = None
    for gap in found:
        if (
            current is not None
            and gap.first.timeline == current.last.timeline
            and gap.first.number == current.last.number + 1
        ):
            current = Gap(current.first, gap.last)
            continue
        if current is not None:
            yield current
        current = gap
    if current is not None:
        yield current
