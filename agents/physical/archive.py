"""What of the WAL is in the store: its own listing, and no program's word for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agents.alarms import Alarm
from agents.physical.archiver import Archiver
from agents.physical.info import Repository
from agents.physical.wal import DEFAULT_SEGMENT_BYTES, Gap, Segment, archived, gaps

if TYPE_CHECKING:
    from flowrex.s3 import S3Client

_SHOWN = 3


@dataclass(frozen=True)
class Listing:
    """What a look at the store's own listing found.

    Attributes:
        gaps: what is missing.
        segments: how many are there.
        newest: when the newest came, by the store's clock; None where there is none.
    """

    gaps: tuple[Gap, ...]
    segments: int
    newest: datetime | None

    @property
    def missing(self) -> int:
        """How many segments are missing."""
        return sum(gap.count for gap in self.gaps)


def look(
    s3: S3Client,
    bucket: str,
    folder: str,
    repository: Repository,
    *,
    archiver: Archiver | None,
) -> Listing:
    """Return what the store has and lacks; the listing passes by and is never held.

    Args:
        s3: the store.
        bucket: the bucket.
        folder: the archive's prefix, `physical/archive/flowrex/15-1/`.
        repository: whose backups need their segments.
        archiver: what PostgreSQL believes to be archived, asked before the listing; or None.
    """
    size = archiver.segment_bytes if archiver else DEFAULT_SEGMENT_BYTES
    newest: datetime | None = None
    count = 0

    def passing() -> Iterator[Segment]:
        nonlocal newest, count
        for entry in s3.list(bucket, folder):
            newest = entry.modified if newest is None else max(newest, entry.modified)
            for segment in archived([entry.key], size):
                count += 1
                yield segment

    found = gaps(passing(), required(repository, archiver, size))
    return Listing(found, count, newest)


def required(repository: Repository, archiver: Archiver | None, size: int) -> Iterator[Segment]:
    """Yield segments that must be there, whatever else is.

    Args:
        repository: its backups can't be restored without their first and last segment.
        archiver: what PostgreSQL was told is archived is not on its own disk any more.
        size: bytes of a segment.
    """
    for backup in repository.backups:
        yield Segment.parse(backup.first_wal, size)
        yield Segment.parse(backup.last_wal, size)
    if archiver is not None and (last := archiver.last_segment()) is not None:
        yield last


def alarm(found: tuple[Gap, ...], size: int = DEFAULT_SEGMENT_BYTES) -> Iterator[Alarm]:
    """Yield the alarm that gaps are."""
    if not found:
        return
    count = sum(gap.count for gap in found)
    shown = [
        gap.first.name(size) + (f" to {gap.last.name(size)}" if gap.count > 1 else "")
        for gap in found[:_SHOWN]
    ]
    more = f" and {len(found) - _SHOWN} gaps more" if len(found) > _SHOWN else ""
    yield Alarm(
        "wal gap",
        f"{count} WAL segments are missing in the archive: {', '.join(shown)}{more}. No moment "
        "between the gap and the next backup can be restored. Take a full backup now.",
    )
