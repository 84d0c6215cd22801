"""Reading a backup again, every byte of it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from agents.backup import manifest as manifests
from agents.backup import stream
from agents.backup.access import Access
from agents.backup.catalog import Catalog
from agents.backup.datakey import KeyRing
from agents.backup.feed import Fed
from agents.backup.manifest import Manifest, ManifestBroken, StoredFile
from agents.backup.psql import Tick
from agents.backup.records import Record
from agents.backup.seal import SealBroken
from agents.backup.take import DATABASE
from flowrex.errors import FlowrexError, NotFound

log = logging.getLogger(__name__)

_BETWEEN_WORDS = 64 << 20


class BackupBroken(FlowrexError):
    """A backup is not what its manifest says. It is no backup."""

    exit_status = 6


@dataclass(frozen=True)
class Reader:
    """How backups are read.

    Attributes:
        catalog: where they are.
        keys: what opens their data keys.
        access: where PostgreSQL's programs are; nobody is asked for anything.
    """

    catalog: Catalog
    keys: KeyRing
    access: Access = field(default_factory=lambda: Access(user="nobody"))

    def open(self, name: str) -> tuple[Manifest, bytes]:
        """Return a backup's manifest and its data key, both known to belong together.

        Raises:
            NotFound: there is no such backup.
            ManifestBroken: it was changed.
            ServerUnreachable: Vault or the store is away.
        """
        manifest = self.catalog.read(name)
        key = self.keys.unwrap(manifest.key).bytes
        manifests.check(manifest, key)
        return manifest, key

    def pieces(
        self, file: StoredFile, key: bytes, *, tick: Tick, progress: Callable[[str], None]
    ) -> Iterator[bytes]:
        """Yield a file's plain bytes; after the last one, all checksums are known to fit."""
        told = 0

        def tell(stored: int) -> None:
            nonlocal told
            tick()
            if stored - told >= _BETWEEN_WORDS:
                told = stored
                progress(f"{stored * 100 // max(1, file.stored_size)} % of {file.name} read")

        return stream.load(
            self.catalog.s3(),
            self.catalog.bucket,
            file,
            key,
            stream.seal_place(file.key),
            progress=tell,
        )


def verify(
    reader: Reader,
    name: str,
    *,
    by: str,
    now: Callable[[], datetime],
    tick: Tick = lambda: None,
    progress: Callable[[str], None] = lambda message: None,
) -> Record:
    """Read a backup and note what came of it beside its manifest.

    Args:
        reader: how it is read.
        name: which.
        by: who asks, for the record.
        now: tells the time.
        tick: called at least every second or so.
        progress: told in sentences how far it is.

    Returns:
        The record; a good one.

    Raises:
        BackupBroken: the backup is none; that is noted, too.
        ServerUnreachable: it could not be read to the end; nothing is known, and nothing noted.
    """
    try:
        try:
            figures = read(reader, name, tick=tick, progress=progress)
        except SealBroken as error:
            # What was broken on the way comes right the second time.
            log.warning("a backup is read once more", extra={"why": error.message})
            figures = read(reader, name, tick=tick, progress=progress)
    except (SealBroken, ManifestBroken, NotFound) as error:
        if isinstance(error, NotFound) and not _is_listed(reader.catalog, name):
            raise
        reader.catalog.note(name, Record("verified", now(), False, by, error.message))
        raise BackupBroken(
            f"the backup {name} is broken: {error.message}",
            hint="Take another one now, `flowrex-agent backup now`, and look at the store's disks.",
        ) from error
    record = Record("verified", now(), True, by, "every byte was read", figures)
    reader.catalog.note(name, record)
    progress(f"{name} is good")
    return record


def read(
    reader: Reader,
    name: str,
    *,
    tick: Tick = lambda: None,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, int]:
    """Read, open and check every byte, and let pg_restore list what the dump has.

    Returns:
        How many bytes were read and how many entries the dump has.
    """
    manifest, key = reader.open(name)
    entries = 0
    for file in manifest.files:
        pieces = reader.pieces(file, key, tick=tick, progress=progress)
        if manifest.kind == "logical" and file.name == DATABASE:
            entries = len(listing(reader.access, pieces, tick))
        else:
            for _ in pieces:
                pass
    return {"stored_bytes": manifest.stored_size, "entries": entries}


def listing(
    access: Access, pieces: Iterable[bytes], tick: Tick, *, to_the_end: bool = True
) -> list[bytes]:
    """Return pg_restore's list of what a dump has, a line an entry.

    Args:
        access: where pg_restore is.
        pieces: the dump.
        tick: called every second.
        to_the_end: take all pieces, so that their checksums are judged.

    Raises:
        SealBroken: it is no dump.
    """
    command = [access.program("pg_restore"), "--list"]
    environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    with tempfile.TemporaryFile() as output:
        with Fed(command, environ, "the dump", tick=tick, output=output) as program:
            program.feed(pieces, to_the_end=to_the_end)
            try:
                program.judge()
            except FlowrexError as error:
                raise SealBroken(f"its dump can't be listed: {error.message}") from error
        output.seek(0)
        return [line for line in output if line.strip() and not line.startswith(b";")]


def _is_listed(catalog: Catalog, name: str) -> bool:
    key = f"{catalog.folder(name)}manifest.json"
    return catalog.s3().head(catalog.bucket, key) is not None
