"""Which backups of a database there are: what has a manifest, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from agents.backup import manifest as manifests
from agents.backup import names, records
from agents.backup.manifest import Manifest, ManifestBroken
from agents.backup.records import Record
from flowrex.errors import NotFound
from flowrex.s3 import Mode, ObjectEntry, S3Client

_READERS = 4


@dataclass(frozen=True)
class Backup:
    """One backup, as it is listed.

    Attributes:
        name: its own.
        manifest: what is known of it; None where that can't be read.
        problem: why it can't.
        records: what was found out later; names only, without their texts.
        bytes: of all its objects.
    """

    name: str
    manifest: Manifest | None
    problem: str = ""
    records: tuple[Record, ...] = ()
    bytes: int = 0

    @property
    def held(self) -> bool:
        """Whether somebody wants it kept."""
        return records.held(self.records)

    @property
    def good(self) -> bool:
        """Whether it was read or restored, and was right the last time. Nothing else is good."""
        last = records.verified(self.records)
        return self.manifest is not None and last is not None and last.good

    @property
    def at(self) -> datetime:
        """The moment whose data it has; when it was begun, where that is not known."""
        return self.manifest.snapshot_at if self.manifest else names.moment(self.name)


@dataclass(frozen=True)
class Rest:
    """Objects without a manifest: a backup under way, or one that never was finished."""

    name: str
    newest: datetime
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """What is in the store, oldest first.

    Attributes:
        backups: what is whole.
        rests: what is not.
        newest: when the newest object of all was written, by the store's clock.
    """

    backups: tuple[Backup, ...]
    rests: tuple[Rest, ...] = ()
    newest: datetime | None = None

    @property
    def scheduled(self) -> list[datetime]:
        """When each good one was begun that the schedule asked for.

        One that is broken, or was never read, is none.
        """
        good = [one.name for one in self.backups if one.good]
        return [names.moment(name) for name in good if name.startswith("scheduled_")]

    def find(self, name: str) -> Backup:
        """Return a backup by its name; `newest` is the newest.

        Raises:
            NotFound: there is none.
        """
        if name == "newest" and self.backups:
            return self.backups[-1]
        for backup in self.backups:
            if backup.name == name:
                return backup
        raise NotFound(
            f"there is no backup {name!r}", hint="`flowrex-agent backup list` shows them."
        )


@dataclass(frozen=True)
class Retention:
    """How the store itself keeps objects.

    Attributes:
        until: tells until when something written now can't be deleted; None: the bucket's default.
        mode: who still may.
    """

    until: Callable[[], datetime | None] = lambda: None
    mode: Mode = "GOVERNANCE"


@dataclass(frozen=True)
class Catalog:
    """The backups of one database, of one kind, in one bucket.

    Manifests are written once, so a list reads each of them once: it is made every half minute, and
    a year's backups are many. Who opens a backup reads its manifest afresh.
    """

    s3: Callable[[], S3Client]
    bucket: str
    database: str
    kind: str = "logical"
    retention: Retention = field(default_factory=Retention)
    _known: dict[ObjectEntry, Manifest] = field(default_factory=dict, repr=False, compare=False)

    def folder(self, name: str = "") -> str:
        """Return the prefix of a backup's objects, or of all of them."""
        return names.folder(self.kind, self.database, name)

    def list(self) -> Listing:
        """Return every backup, oldest first, and what is left of others."""
        groups = _grouped(self.s3().list(self.bucket, self.folder()), self.folder())
        whole = {name: group for name, group in groups.items() if names.MANIFEST in group}
        for gone in self._known.keys() - {group[names.MANIFEST] for group in whole.values()}:
            self._known.pop(gone, None)
        if len(self._known) == len(whole):
            backups = [self._backup(*item) for item in whole.items()]
        else:
            with ThreadPoolExecutor(_READERS, thread_name_prefix="catalog") as pool:
                backups = list(pool.map(lambda item: self._backup(*item), whole.items()))
        rests = [
            Rest(name, max(one.modified for one in group.values()), _keys(group))
            for name, group in groups.items()
            if name not in whole
        ]
        written = [one.modified for group in groups.values() for one in group.values()]
        return Listing(
            tuple(sorted(backups, key=lambda one: (one.at, one.name))),
            tuple(rests),
            max(written, default=None),
        )

    def read(self, name: str) -> Manifest:
        """Return a backup's manifest.

        Raises:
            NotFound: there is no such backup.
            ManifestBroken: it can't be read.
        """
        key = self.folder(name) + names.MANIFEST
        return self._parsed(name, self.s3().get(self.bucket, key))

    def write(self, manifest: Manifest) -> None:
        """Make a backup one: after this, it is listed.

        Raises:
            ObjectExists: there is one of that name.
        """
        self._put(manifest.name, names.MANIFEST, manifest.encode())

    def note(self, name: str, record: Record) -> None:
        """Write a record beside a backup's manifest."""
        self._put(name, record.name, record.encode())

    def records(self, backup: Backup) -> tuple[Record, ...]:
        """Return a backup's records with their texts, oldest first."""
        folder = self.folder(backup.name)
        return tuple(
            records.completed(one, self.s3().get(self.bucket, folder + one.name))
            for one in backup.records
        )

    def _put(self, name: str, file: str, body: bytes) -> None:
        self.s3().put(
            self.bucket,
            self.folder(name) + file,
            body,
            content_type="application/json",
            retain_until=self.retention.until(),
            mode=self.retention.mode,
        )

    def _backup(self, name: str, group: Mapping[str, ObjectEntry]) -> Backup:
        found = tuple(
            sorted(
                (one for file in group if (one := records.from_name(file))), key=lambda one: one.at
            )
        )
        size = sum(one.size for one in group.values())
        try:
            manifest = self._manifest(name, group[names.MANIFEST])
            for file in manifest.files:
                entry = group.get(file.key.removeprefix(self.folder(name)))
                if entry is None or entry.size != file.stored_size:
                    there = "is not there" if entry is None else f"has {entry.size} bytes"
                    raise ManifestBroken(f"{file.key} {there}")
        except (ManifestBroken, NotFound) as error:
            return Backup(name, None, error.message, found, size)
        return Backup(name, manifest, "", found, size)

    def _manifest(self, name: str, entry: ObjectEntry) -> Manifest:
        if (known := self._known.get(entry)) is not None:
            return known
        manifest = self._known[entry] = self.read(name)
        return manifest

    def _parsed(self, name: str, content: bytes) -> Manifest:
        where = f"{self.folder(name)}{names.MANIFEST}"
        manifest = manifests.parse(content, where)
        if (manifest.kind, manifest.database, manifest.name) != (self.kind, self.database, name):
            raise ManifestBroken(f"{where} is the manifest of another backup")
        return manifest


def _grouped(entries: Iterable[ObjectEntry], folder: str) -> dict[str, dict[str, ObjectEntry]]:
    groups: dict[str, dict[str, ObjectEntry]] = {}
    for entry in entries:
        name, _, file = entry.key.removeprefix(folder).partition("/")
        if file and names.is_backup(name):
            groups.setdefault(name, {})[file] = entry
    return groups


def _keys(group: Mapping[str, ObjectEntry]) -> tuple[str, ...]:
    return tuple(entry.key for entry in group.values())
