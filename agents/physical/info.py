"""What `pgbackrest info --output=json` says, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agents.physical.wal import position
from flowrex.errors import FlowrexError, ServerRefused, ServerUnreachable

HOLD = "hold"
DRILLED = "drilled"
# Restore points are noted at the backup before them, each with its position.
MARK = "mark."
_NO_STANZA = 1
_NO_BACKUP = 2
_OTHER = 99


@dataclass(frozen=True)
class Backup:
    """One backup in the repository.

    Attributes:
        label: its name, which sorts by time.
        kind: `full`, `diff` or `incr`.
        started: when it began; what it holds is consistent from `stopped` on.
        stopped: when it ended.
        first_wal: the first segment that it needs.
        last_wal: the last one.
        first_lsn: where it began.
        last_lsn: from here on a recovery can stop.
        size: bytes of the database.
        stored: bytes that it added to the repository.
        prior: the backup that it builds on, or None.
        error: whether PostgreSQL's page checksums failed while it was taken.
        hold: why it must not expire, or None.
        drilled: when it was last restored, by `flowrexctl backup drill`, and was right, or None.
        marks: the position of each named moment since this backup.
    """

    label: str
    kind: str
    started: datetime
    stopped: datetime
    first_wal: str
    last_wal: str
    first_lsn: str
    last_lsn: str
    size: int
    stored: int
    prior: str | None
    error: bool
    hold: str | None
    drilled: str | None
    marks: Mapping[str, str]

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "label": self.label,
            "kind": self.kind,
            "started": self.started.isoformat(),
            "stopped": self.stopped.isoformat(),
            "first_wal": self.first_wal,
            "last_wal": self.last_wal,
            "first_lsn": self.first_lsn,
            "last_lsn": self.last_lsn,
            "size": self.size,
            "stored": self.stored,
            "prior": self.prior,
            "error": self.error,
            "hold": self.hold,
            "drilled": self.drilled,
            "marks": dict(self.marks),
        }


@dataclass(frozen=True)
class Repository:
    """What the repository holds of one stanza.

    Attributes:
        exists: whether the stanza was made.
        problem: what pgBackRest says is wrong with it, or "".
        system_id: PostgreSQL's own name of the cluster, "" where there is no stanza.
        archive: the archive's folder, `15-1`; "" while nothing was archived.
        oldest_wal: the first archived segment, or "".
        newest_wal: the last one, or "".
        backups: oldest first.
    """

    exists: bool
    problem: str
    system_id: str = ""
    archive: str = ""
    oldest_wal: str = ""
    newest_wal: str = ""
    backups: tuple[Backup, ...] = ()

    @property
    def newest(self) -> Backup | None:
        """The newest backup that PostgreSQL's checksums did not fault."""
        good = [backup for backup in self.backups if not backup.error]
        return good[-1] if good else None

    def mark(self, name: str) -> str | None:
        """Return the position of a named moment, the last one of that name, or None."""
        found = [backup.marks[name] for backup in self.backups if name in backup.marks]
        return found[-1] if found else None

    def newest_full(self) -> Backup | None:
        """Return the newest full backup that is good."""
        full = [backup for backup in self.backups if backup.kind == "full" and not backup.error]
        return full[-1] if full else None


def parse(text: str, stanza: str) -> Repository:
    """Return what the repository holds.

    Args:
        text: what pgBackRest printed.
        stanza: the stanza that was asked for.

    Raises:
        ServerRefused: it is not what pgBackRest prints.
        ServerUnreachable: pgBackRest could not reach the store.
    """
    try:
        documents = json.loads(text)
        document = next((one for one in documents if one["name"] == stanza), None)
        if document is None:
            return Repository(False, "there is no such stanza")
        return _repository(document)
    except (ValueError, LookupError, TypeError) as error:
        raise _strange(error) from error


def _repository(document: Mapping[str, Any]) -> Repository:
    status = document["status"]
    code = int(status["code"])
    if code == _OTHER:
        raise ServerUnreachable(f"pgBackRest can't read the repository: {_why(document)}")
    if code == _NO_STANZA:
        return Repository(False, str(status["message"]))
    current = document["db"][-1]
    wanted = f"{current['version']}-{current['id']}"
    archive = next((one for one in document["archive"] if one["id"] == wanted), None)
    backups = sorted((_backup(one) for one in document["backup"]), key=lambda one: one.stopped)
    return Repository(
        exists=True,
        problem="" if code in (0, _NO_BACKUP) else str(status["message"]),
        system_id=str(current["system-id"]),
        archive=wanted,
        oldest_wal=(archive or {}).get("min") or "",
        newest_wal=(archive or {}).get("max") or "",
        backups=tuple(backups),
    )


def _why(document: Mapping[str, Any]) -> str:
    found = [one["status"]["message"] for one in document["repo"] if one["status"]["code"]]
    return "; ".join(map(str, found)) or str(document["status"]["message"])


def _backup(one: Mapping[str, Any]) -> Backup:
    notes: Mapping[str, str] = one.get("annotation") or {}
    return Backup(
        label=str(one["label"]),
        kind=str(one["type"]),
        started=_time(one["timestamp"]["start"]),
        stopped=_time(one["timestamp"]["stop"]),
        first_wal=str(one["archive"]["start"]),
        last_wal=str(one["archive"]["stop"]),
        first_lsn=str(one["lsn"]["start"]),
        last_lsn=str(one["lsn"]["stop"]),
        size=int(one["info"]["size"]),
        stored=int(one["info"]["repository"]["delta"]),
        prior=one["prior"],
        error=bool(one.get("error")),
        hold=notes.get(HOLD),
        drilled=notes.get(DRILLED),
        marks={name.removeprefix(MARK): at for name, at in notes.items() if name.startswith(MARK)},
    )


def before(repository: Repository, *, lsn: str | None, time: datetime | None) -> Backup | None:
    """Return the newest good backup from which a moment can be reached, or None.

    Args:
        repository: what there is.
        lsn: the moment as a position.
        time: the moment as a time.
    """
    fitting = [
        backup
        for backup in repository.backups
        if not backup.error
        and (lsn is None or position(backup.last_lsn) <= position(lsn))
        and (time is None or backup.stopped <= time)
    ]
    return fitting[-1] if fitting else None


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _strange(error: Exception) -> FlowrexError:
    return ServerRefused(
        f"pgBackRest's description of the repository can't be read: {error!r}",
        hint="Flowrex knows pgBackRest 2.45 and later; `pgbackrest version` tells which this is.",
    )
