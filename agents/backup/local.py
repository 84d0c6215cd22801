"""The newest backups in a folder of the node as well: sealed as they are in the store.

A folder that looks like the store, so that the same code lists, verifies and restores from it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agents.backup import names
from agents.backup.catalog import Catalog
from agents.backup.psql import Tick
from flowrex.errors import NotFound, ServerRefused
from flowrex.files import replacing, write_atomic
from flowrex.s3 import ObjectEntry, ObjectHead

log = logging.getLogger(__name__)

_PIECE = 1 << 20
_TEMPORARY = "."


@dataclass(frozen=True)
class FolderStore:
    """What reading backups needs of an object store, from a folder; the bucket's name is not used.

    Attributes:
        root: the folder.
    """

    root: Path

    def list(
        self, bucket: str, prefix: str = "", *, start_after: str = ""
    ) -> Iterator[ObjectEntry]:
        """Yield the files whose paths begin with `prefix`, sorted."""
        files = (path for path in self.root.rglob("*") if path.is_file())
        for key, path in sorted((str(path.relative_to(self.root)), path) for path in files):
            if key.startswith(prefix) and key > start_after and path.name[0] != _TEMPORARY:
                found = path.stat()
                yield ObjectEntry(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def head(self, bucket: str, key: str) -> ObjectHead | None:
        """Return a file's length, or None where there is none."""
        path = self.root / key
        return ObjectHead(path.stat().st_size, None, "") if path.is_file() else None

    def get(self, bucket: str, key: str) -> bytes:
        """Return a file's content."""
        with self.stream(bucket, key) as pieces:
            return b"".join(pieces)

    @contextmanager
    def stream(self, bucket: str, key: str, *, chunk: int = _PIECE) -> Iterator[Iterator[bytes]]:
        """Give a file's content in pieces."""
        try:
            file = (self.root / key).open("rb")
        except FileNotFoundError as error:
            raise NotFound(f"there is no {self.root / key}") from error
        except OSError as error:
            raise ServerRefused(f"{self.root / key} can't be read: {error.strerror}") from error
        with file:
            yield iter(lambda: file.read(chunk), b"")

    def put(self, bucket: str, key: str, body: bytes, **_: object) -> bool:
        """Write a file, once; a record of what was found out here."""
        path = self.root / key
        try:
            write_atomic(path, body, mode=0o600)
        except OSError as error:
            raise ServerRefused(f"{path} can't be written: {error.strerror}") from error
        return True


def catalog_of(store: Catalog, root: Path) -> Catalog:
    """Return the catalog of a node's own copies."""
    folder = FolderStore(root)
    return Catalog(lambda: folder, "", store.database, store.kind)  # type: ignore[arg-type, return-value]


def keep(catalog: Catalog, name: str, root: Path, newest: int, *, tick: Tick) -> None:
    """Copy a backup into the folder, and let the oldest ones there go.

    Args:
        catalog: where the backup is.
        name: which.
        root: the folder.
        newest: how many stay.
        tick: called for each piece; what it raises ends the copying.

    Raises:
        ServerRefused: the folder can't be written, or is full; what is half there is not listed.
    """
    target = root / catalog.folder(name)
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        manifest = catalog.read(name)
        for file in manifest.files:
            with (
                replacing(root / file.key, mode=0o600) as temporary,
                temporary.open("wb") as copy,
                catalog.s3().stream(catalog.bucket, file.key) as pieces,
            ):
                for piece in pieces:
                    copy.write(piece)
                    tick()
        # Last, as in the store: with it the copy is one.
        write_atomic(target / names.MANIFEST, manifest.encode(), mode=0o600)
        _let_go(root / catalog.folder(), newest)
    except OSError as error:
        # Half of it would take the room that the next one needs, and the place of a whole one.
        if not (target / names.MANIFEST).exists():
            shutil.rmtree(target, ignore_errors=True)
        raise ServerRefused(
            f"{name} can't be kept in {root}: {error.strerror}",
            hint="It is in the store; make room here, or look at backup.retention.local_dir.",
        ) from error


def _let_go(folder: Path, newest: int) -> None:
    kept = sorted(
        (path for path in folder.iterdir() if names.is_backup(path.name)),
        key=lambda path: names.moment(path.name),
    )
    half = [path for path in kept if not (path / names.MANIFEST).exists()]
    whole = [path for path in kept if path not in half]
    for path in [*half, *whole[:-newest]]:
        (path / names.MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path)
        log.info("a local copy was deleted", extra={"backup": path.name})
