"""Restoring in earnest: beside the database in use, compared, and only then in its place.

Whatever goes wrong before the last step leaves the database as it was. After it, the old one is
there under another name, until somebody drops it.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from agents.backup import fill, names, source, swap
from agents.backup.fill import Target
from agents.backup.manifest import Manifest
from agents.backup.verify import Reader
from flowrex.errors import FlowrexError, ServerRefused, ServerUnreachable, UsageError

log = logging.getLogger(__name__)

OWNER = "flowrex_owner"
_SHOWN_TABLES = 20
_GRANTS = (
    "Rights on the system's own functions, such as pgBackRest's, only an administrator may give: "
    "`flowrexctl bootstrap ENV` puts them back."
)


@dataclass(frozen=True)
class Loss:
    """What a restore takes away.

    Attributes:
        backup_at: the moment whose data comes back.
        rows_now: rows by table now; empty where there is no such database.
        rows_then: rows by table in the backup.
        revision_now: the migrations' revision now.
        revision_then: in the backup.
        bytes_now: size of the database now.
        there: whether there is such a database now.
    """

    backup_at: datetime
    rows_then: Mapping[str, int]
    revision_then: str
    rows_now: Mapping[str, int] = field(default_factory=dict)
    revision_now: str = ""
    bytes_now: int = 0
    there: bool = False

    def sentences(self, now: datetime) -> list[str]:
        """Return it as people read it."""
        if not self.there:
            return ["There is no such database now: nothing is lost."]
        age = now - self.backup_at
        lines = [
            f"Everything written since {self.backup_at:%Y-%m-%d %H:%M:%S} UTC "
            f"({str(age).split('.', maxsplit=1)[0]} ago) is lost from the database."
        ]
        changed = [
            f"  {table}: {_rows(self.rows_now, table)} now, "
            f"{_rows(self.rows_then, table)} afterwards"
            for table in sorted({*self.rows_now, *self.rows_then})
            if self.rows_now.get(table) != self.rows_then.get(table)
        ]
        lines += changed[:_SHOWN_TABLES]
        if len(changed) > _SHOWN_TABLES:
            lines.append(f"  and {len(changed) - _SHOWN_TABLES} more tables")
        if self.revision_now != self.revision_then:
            lines.append(
                f"  The schema goes from revision {self.revision_now or 'none'} to "
                f"{self.revision_then or 'none'}; migrate afterwards."
            )
        return lines

    def document(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "backup_at": self.backup_at.isoformat(),
            "database_exists": self.there,
            "bytes_now": self.bytes_now,
            "rows_now": dict(self.rows_now),
            "rows_then": dict(self.rows_then),
            "revision_now": self.revision_now,
            "revision_then": self.revision_then,
        }


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


def loss(manifest: Manifest, target: Target, database: str) -> Loss:
    """Return what a restore takes away.

    Args:
        manifest: of the backup.
        target: where it goes.
        database: the database in use.
    """
    then = (manifest.snapshot_at, manifest.rows, manifest.schema_revision)
    with target.session(swap.LED_FROM) as session:
        if not swap.exists(session, database):
            return Loss(*then)
    with target.session(database) as session:
        now = source.facts(session, None)
    return Loss(*then, now.rows, now.schema_revision, now.bytes, there=True)


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


def restore(
    reader: Reader,
    name: str,
    target: Target,
    *,
    now: Callable[[], datetime],
    owner: str = OWNER,
    migrate: Sequence[str] = (),
) -> Restored:
    """Restore a backup in the place of the database that it is of. The caller has asked.

    Args:
        reader: how the backup is read.
        name: which.
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
    manifest, key = reader.open(name)
    database = manifest.database
    # All of them are from restores that ended half-way: the caller holds the lock.
    for rest in swap.left_over(target, f"{database}_restore_"):
        target.progress(f"dropping {rest}, which an earlier restore left")
        swap.drop(target, rest)
    mark = names.stamp(now())
    fresh, kept_as = f"{database}_restore_{mark}", f"{database}_before_{mark}"
    there = swap.make(target, fresh, database, owner)
    try:
        target.progress(f"restoring {name} beside {database}")
        fill.fill(reader, manifest, key, target, fresh, owner=owner)
        rows = fill.compare(manifest, target, fresh)
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
    done = Restored(name, database, kept_as if there else "", rows, bool(migrate), note)
    log.info("a database was restored", extra={"backup": name, "kept_as": done.kept_as})
    return done


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


def _rows(found: Mapping[str, int], table: str) -> str:
    return f"{found[table]} rows" if table in found else "not there"


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
