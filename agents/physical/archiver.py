"""How PostgreSQL's archiver gets on, and when that is an alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agents.alarms import Alarm
from agents.physical.wal import Segment, position
from flowrex.errors import ServerRefused

# What pg_monitor may read. One document, so that all of it is of one moment.
QUERY = """\
SELECT json_build_object(
  'now', extract(epoch FROM clock_timestamp()),
  'in_recovery', pg_is_in_recovery(),
  'system_id', (SELECT system_identifier::text FROM pg_control_system()),
  'timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
  'lsn', CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
              ELSE pg_current_wal_lsn() END,
  'mode', current_setting('archive_mode'),
  'command', current_setting('archive_command'),
  'timeout_s', (SELECT setting::int FROM pg_settings WHERE name = 'archive_timeout'),
  'segment_bytes', (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),
  'archived', archived_count,
  'failed', failed_count,
  'last_wal', last_archived_wal,
  'last_at', extract(epoch FROM last_archived_time),
  'failed_wal', last_failed_wal,
  'failed_at', extract(epoch FROM last_failed_time),
  'waiting', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
  'oldest', (SELECT extract(epoch FROM min(modification)) FROM pg_ls_archive_statusdir()
             WHERE name LIKE '%.ready'))
FROM pg_stat_archiver;
"""


@dataclass(frozen=True)
class Archiver:
    """What PostgreSQL says of its archiver; times are its own clock's, in seconds since 1970.

    Attributes:
        now: when it was asked.
        in_recovery: whether it is a replica, which archives nothing.
        system_id: the cluster's own name.
        timeline: the timeline that it writes.
        lsn: the position that it has written to.
        mode: `archive_mode`.
        command: `archive_command`.
        timeout_s: `archive_timeout`, the seconds after which a segment is archived unfinished.
        segment_bytes: the size of a segment.
        archived: how many segments it has archived.
        failed: how many times that failed.
        last_wal: what it archived last, or None.
        last_at: when.
        failed_wal: what it could not archive last, or None.
        failed_at: when.
        waiting: how many files wait to be archived.
        oldest: since when the first of them waits, or None.
    """

    now: float
    in_recovery: bool
    system_id: str
    timeline: int
    lsn: str
    mode: str
    command: str
    timeout_s: int
    segment_bytes: int
    archived: int
    failed: int
    last_wal: str | None
    last_at: float | None
    failed_wal: str | None
    failed_at: float | None
    waiting: int
    oldest: float | None

    @property
    def lag_s(self) -> float:
        """Seconds for which the oldest finished segment waits; 0 where none does."""
        return 0.0 if self.oldest is None else max(0.0, self.now - self.oldest)

    @property
    def failing(self) -> bool:
        """Whether its last attempt failed."""
        return self.failed_at is not None and (
            self.last_at is None or self.failed_at > self.last_at
        )

    @property
    def waiting_bytes(self) -> int:
        """Bytes of WAL that PostgreSQL keeps because they are not archived."""
        return self.waiting * self.segment_bytes

    def last_segment(self) -> Segment | None:
        """Return the segment that it archived last; history and label files are none."""
        if self.last_wal is None or len(self.last_wal) != len("000000010000000000000001"):
            return None
        return Segment.parse(self.last_wal, self.segment_bytes)

    def open_segment(self) -> Segment:
        """Return the segment that it writes to now."""
        return Segment.at(self.timeline, position(self.lsn), self.segment_bytes)


def parse(text: str) -> Archiver:
    """Return what `QUERY` answered.

    Raises:
        ServerRefused: it is no such answer.
    """
    try:
        found: Mapping[str, Any] = json.loads(text)
        return Archiver(**found)
    except (ValueError, TypeError) as error:
        raise ServerRefused(
            f"PostgreSQL's answer about its archiver can't be read: {error}",
            hint="Flowrex knows PostgreSQL 15 and later.",
        ) from error


def judge(archiver: Archiver, *, stanza: str, rpo_s: float) -> Iterator[Alarm]:
    """Yield what is wrong with the archiving.

    Args:
        archiver: what PostgreSQL says.
        stanza: the stanza that it should archive to.
        rpo_s: seconds of changes that may be lost at most.
    """
    if archiver.in_recovery:
        return
    if archiver.mode == "off":
        yield Alarm(
            "archiving off",
            "archive_mode is off: no WAL is archived, and no moment after the last backup can be "
            "restored. Set it to on and restart PostgreSQL.",
        )
        return
    words = archiver.command.split()
    if "archive-push" not in words or f"--stanza={stanza}" not in words:
        yield Alarm(
            "archive command",
            f"archive_command is {archiver.command!r}, which does not archive to the stanza "
            f"{stanza}. `flowrex-agent physical archive-command` prints what it has to be.",
        )
    if not 0 < archiver.timeout_s <= rpo_s:
        yield Alarm(
            "archive timeout",
            f"archive_timeout is {archiver.timeout_s} s, but no more than {rpo_s:.0f} s of changes "
            "may be lost. Set it to less, and not to 0.",
        )
    if archiver.lag_s > rpo_s:
        yield Alarm(
            "archive behind",
            f"{archiver.waiting} WAL files wait to be archived, the oldest for "
            f"{archiver.lag_s:.0f} s. They are kept, and take {archiver.waiting_bytes >> 20} MiB "
            "of PostgreSQL's disk.",
        )
    if archiver.failing:
        yield Alarm(
            "archive failing",
            f"PostgreSQL could not archive {archiver.failed_wal}; it tries again, and its own log "
            "has what pgBackRest said.",
        )
