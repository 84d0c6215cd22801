"""The drill: a backup is restored into a scratch server, and compared with its manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from agents.backup import fill, scratch
from agents.backup.manifest import ManifestBroken
from agents.backup.psql import ProgramFailed, Tick
from agents.backup.records import Record
from agents.backup.seal import SealBroken
from agents.backup.take import DATABASE
from agents.backup.verify import BackupBroken, Reader

_MAINTENANCE = "template1"


def drill(
    reader: Reader,
    name: str,
    folder: Path,
    *,
    by: str,
    now: Callable[[], datetime],
    limit_s: float,
    tick: Tick = lambda: None,
    progress: Callable[[str], None] = lambda message: None,
) -> Record:
    """Restore a backup where nobody sees it, and note what came of it beside its manifest.

    Args:
        reader: how it is read.
        name: which.
        folder: below which the scratch server has its data.
        by: who asks, for the record.
        now: tells the time.
        limit_s: seconds after which it is given up.
        tick: called at least every second or so.
        progress: told in sentences how far it is.

    Returns:
        The record; a good one.

    Raises:
        BackupBroken: it can't be restored, or not to what it was; that is noted, too.
        ServerUnreachable: it could not be read, or there was no scratch server; nothing is noted.
    """
    begun = time.monotonic()

    def bounded() -> None:
        tick()
        if time.monotonic() - begun > limit_s:
            raise TimeoutError

    try:
        rows = _restored(reader, name, folder, bounded, progress)
    except (SealBroken, ManifestBroken, TimeoutError, ProgramFailed) as error:
        why = f"it took over {limit_s:.0f} s" if isinstance(error, TimeoutError) else str(error)
        reader.catalog.note(name, Record("drilled", now(), False, by, why))
        raise BackupBroken(
            f"the backup {name} can't be restored: {why}",
            hint="Take another one now, `flowrex-agent backup now`, and drill that.",
        ) from error
    taken = round(time.monotonic() - begun, 1)
    record = Record(
        "drilled",
        now(),
        True,
        by,
        f"restored in {taken} s and compared",
        {"seconds": taken, "tables": len(rows), "rows": sum(rows.values())},
    )
    reader.catalog.note(name, record)
    progress(f"{name} was restored in {taken} s: {record.details['rows']} rows, as many as it says")
    return record


def _restored(
    reader: Reader, name: str, folder: Path, tick: Tick, progress: Callable[[str], None]
) -> dict[str, int]:
    manifest, key = reader.open(name)
    progress(f"restoring {name} into a scratch server")
    with scratch.running(reader.access, folder, tick=tick) as (access, server):
        target = fill.Target(access, server, tick, progress)
        fill.roles(reader, manifest, key, target, _MAINTENANCE)
        with target.session(_MAINTENANCE) as session:
            session.ask(f"CREATE DATABASE {manifest.database} TEMPLATE template0")
        file = manifest.file(DATABASE)
        fill.fill(
            lambda: reader.pieces(file, key, tick=tick, progress=progress),
            target,
            manifest.database,
        )
        return fill.compare(manifest.state, target, manifest.database)
