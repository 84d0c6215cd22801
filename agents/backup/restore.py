"""Restoring in earnest: beside the database in use, compared, and only then in its place.

Whatever goes wrong before the last step leaves the database as it was. After it, the old one is
there under another name, until somebody drops it.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.backup import fill, names, swap
from agents.backup.contents import State
from agents.backup.fill import Target
from agents.backup.take import DATABASE
from agents.backup.verify import Reader
from flowrex.errors import FlowrexError, ServerRefused, ServerUnreachable, UsageError

log = logging.getLogger(__name__)

OWNER = "flowrex_owner"
_GRANTS = (
    "Rights on the system's own functions that somebody gave in it only an administrator may give "
    "again; they are not restored."
)


@dataclass(frozen=True)
class Origin:
    """What a database is restored from.

    Attributes:
        name: the backup, or the moment.
        database: whose data it is.
        state: what is in it, which is compared before it takes the place.
        pieces: reads its dump, each time from the beginning.
    """

    name: str
    database: str
    state: State
    pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Restored:
    """What a restore did.

    Attributes:
        name: the backup.
        database: what was restored.
        kept_as: what the old one is called now; empty where there was none.
        rows: rows by table.
        migrated: whether migrations ran.
        note: what is left to do.
    """

    name: str
    database: str
    kept_as: str
    rows: Mapping[str, int]
    migrated: bool = False
    note: str = ""

    def document(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "name": self.name,
            "database": self.database,
            "kept_as": self.kept_as,
            "tables": len(self.rows),
            "rows": sum(self.rows.values()),
            "migrated": self.migrated,
            "note": self.note,
        }


def primary(target: Target) -> None:
    """Insist that the target is no replica.

    Raises:
        ServerRefused: it is one.
    """
    with target.session(swap.LED_FROM) as session:
        if session.value("SELECT pg_is_in_recovery()") == "t":
            raise ServerRefused(
                f"{target.server} is a replica, which follows its primary",
                hint="Restore on the primary.",
            )


def of_backup(reader: Reader, name: str, target: Target) -> Origin:
    """Return a logical backup as what a database is restored from.

    Args:
        reader: how the backup is read.
        name: which.
        target: who is told how far the reading is.
    """
    manifest, key = reader.open(name)
    file = manifest.file(DATABASE)
    return Origin(
        name,
        manifest.database,
        manifest.state,
        lambda: reader.pieces(file, key, tick=target.tick, progress=target.progress),
    )


def restore(
    origin: Origin,
    target: Target,
    *,
    now: Callable[[], datetime],
    owner: str = OWNER,
    migrate: Sequence[str] = (),
) -> Restored:
    """Restore in the place of the database in use. The caller has asked, and holds the lock.

    Args:
        origin: what comes into its place.
        target: the server.
        now: tells the time.
        owner: whose everything in it is.
        migrate: a command that brings the schema up to date, run with libpq's variables before the
            database takes its place; none where empty.

    Raises:
        SealBroken: the backup is not what was written; the database is as it was.
        ServerUnreachable: the server is gone, or refuses; the database is as it was.
    """
    primary(target)
    database = origin.database
    # All of them are from restores that ended half-way: the caller holds the lock.
    for rest in swap.beginning(target, f"{database}_restore_"):
        target.progress(f"dropping {rest}, which an earlier restore left")
        swap.drop(target, rest)
    mark = _free_stamp(now(), f"{database}_before_", swap.beginning(target, f"{database}_before_"))
    fresh, kept_as = f"{database}_restore_{mark}", f"{database}_before_{mark}"
    there = swap.make(target, fresh, database, owner)
    try:
        target.progress(f"restoring {origin.name} beside {database}")
        fill.fill(origin.pieces, target, fresh, owner=owner)
        rows = fill.compare(origin.state, target, fresh)
        if migrate:
            _migrate(migrate, target, fresh)
        target.progress(f"putting it in the place of {database}")
        swap.swap(target, fresh, database, kept_as)
    except BaseException:
        with suppress(FlowrexError):
            swap.drop(target, fresh)
        raise
    with target.session(database) as session:
        session.ask("ANALYZE")
    note = _GRANTS if there and _fewer_grants(target, database, kept_as) else ""
    done = Restored(origin.name, database, kept_as if there else "", rows, bool(migrate), note)
    log.info("a database was restored", extra={"backup": origin.name, "kept_as": done.kept_as})
    return done


def _free_stamp(at: datetime, prefix: str, taken: Collection[str]) -> str:
    """Return the moment as names have it, or the next second's whose name is free."""
    while f"{prefix}{names.stamp(at)}" in taken:
        at += timedelta(seconds=1)
    return names.stamp(at)


def _fewer_grants(target: Target, database: str, before: str) -> bool:
    return fill.system_grants(target, database) < fill.system_grants(target, before)


def confirmed(database: str, typed: str) -> None:
    """Insist that whoever asks has named the database.

    Raises:
        UsageError: it was not named.
    """
    if typed != database:
        raise UsageError(
            f"{typed!r} is not the name of the database that would be replaced, {database!r}",
            hint=f"Nothing was done. To do it: --yes-replace {database}",
        )


def _migrate(command: Sequence[str], target: Target, database: str) -> None:
    target.progress(f"migrating: {command[0]}")
    try:
        ran = subprocess.run(
            list(command),
            env=target.access.environ(target.server, database),
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise ServerUnreachable(f"the migrations can't be run: {command[0]}: {error}") from error
    if ran.returncode != 0:
        raise ServerRefused(
            f"the migrations ended with {ran.returncode}: {ran.stderr.strip()[-400:]}",
            hint=f"{database.split('_restore_', maxsplit=1)[0]} is as it was.",
        )
