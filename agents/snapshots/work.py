"""What a node does with its snapshots: for the task and for the shell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from agents import lock
from agents.backup import manifest as manifests
from agents.backup import names, prune, stream
from agents.backup.catalog import Catalog, Listing, Retention
from agents.backup.datakey import KeyRing, TransitKeys
from agents.backup.manifest import Manifest, ManifestBroken, StoredFile
from agents.backup.records import Record
from agents.backup.retention import Policy
from agents.backup.seal import SealBroken
from agents.context import Context
from agents.credentials.files import Files
from agents.snapshots.escrow import EscrowKeys
from agents.snapshots.make import credential, sources
from agents.snapshots.source import File, Pieces, SnapshotBroken, Source
from flowrex import __version__
from flowrex import keys as consul_keys
from flowrex.consul import ConsulClient
from flowrex.errors import ConfigurationError, NotFound, UsageError

ESCROW_KEY = "snapshot-escrow-key"


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one environment, as one node has to do with them.

    Attributes:
        environment: which environment.
        node: this node.
        consul: gives Consul's client, for the lock.
        sources: what is switched on, by kind.
        catalogs: where each kind is kept.
        keys: what wraps each kind's data keys.
        policy: how long they are kept.
        now: tells the time.
    """

    environment: str
    node: str
    consul: Callable[[], ConsulClient]
    sources: Mapping[str, Source]
    catalogs: Mapping[str, Catalog]
    keys: Mapping[str, KeyRing]
    policy: Policy
    now: Callable[[], datetime]

    @classmethod
    def of(cls, context: Context) -> Snapshots:
        """Return what the agent's surroundings make of it."""
        whole = context.settings
        kept = whole.backup.retention
        files = Files.of(os.environ, whole.credentials_dir)

        def until() -> datetime | None:
            return context.clock.now() + timedelta(days=kept.lock_days) if kept.lock_days else None

        def catalog(kind: str) -> Catalog:
            retention = Retention(until, kept.lock_mode)
            bucket = whole.s3.backups_bucket
            return Catalog(context.s3, bucket, whole.environment, kind, retention)

        transit = TransitKeys(context.vault, whole.backup.transit_mount, whole.backup.transit_key)
        found = sources(context, files)
        return cls(
            environment=whole.environment,
            node=context.node,
            consul=context.consul,
            sources=found,
            catalogs={kind: catalog(kind) for kind in found},
            keys={
                kind: EscrowKeys(lambda: credential(files, ESCROW_KEY))
                if kind == "vault"
                else transit
                for kind in found
            },
            policy=Policy(
                daily=timedelta(days=kept.daily_days),
                weekly=timedelta(weeks=kept.weekly_weeks),
                monthly=timedelta(days=31 * kept.monthly_months),
            ),
            now=context.clock.now,
        )

    def take(
        self,
        kind: str,
        reason: str,
        *,
        tick: Callable[[], None] = lambda: None,
        unless: Callable[[], bool] = lambda: False,
    ) -> Manifest | None:
        """Take a snapshot, and read it again: only then it is good. One node at a time does it.

        Args:
            kind: of what.
            reason: what for, one of `names.REASONS`.
            tick: called with every piece; what it raises ends it, and leaves no snapshot.
            unless: asked once the lock is held; True: there is nothing to do any more.

        Returns:
            The manifest; None where there was nothing to do.

        Raises:
            LockHeld: another node takes one.
            ServerUnreachable: the server, Vault or the store is away, or refuses.
            SnapshotBroken: what came is not whole.
        """
        self.source(kind)
        with self._locked(kind, f"snapshot {reason}", tick) as watched:
            if unless():
                return None
            manifest = self._take(kind, reason, watched)
            # Before the lock is given back: the next node looks whether there is a good one.
            self.verify(kind, manifest.name, tick=watched)
            return manifest

    def _take(self, kind: str, reason: str, tick: Callable[[], None]) -> Manifest:
        source, catalog, started = self.source(kind), self.catalogs[kind], self.now()
        name = names.backup_name(reason, started)
        key = self.keys[kind].new()
        stored = tuple(self._store(file, catalog, name, key.bytes, tick) for file in source.files())
        manifest = Manifest(
            kind=kind,
            name=name,
            database=self.environment,
            environment=self.environment,
            node=self.node,
            reason=reason,
            started_at=started,
            # The state is of some moment since then; the earlier one is promised.
            snapshot_at=started,
            completed_at=self.now(),
            files=stored,
            key=key.wrapped,
            source=source.where(),
            tools={"flowrex-agent": __version__},
        )
        catalog.write(manifests.signed(manifest, key.bytes))
        return manifest

    def list(self, kind: str) -> Listing:
        """Return the snapshots of a kind."""
        self.source(kind)
        return self.catalogs[kind].list()

    def verify(self, kind: str, name: str, *, tick: Callable[[], None] = lambda: None) -> Record:
        """Read every byte of a snapshot, look whether it is whole, and note what came of it.

        Raises:
            SnapshotBroken: it is none; that is noted, too.
        """
        catalog = self.catalogs[kind]
        chosen = self.list(kind).find(name).name
        try:
            manifest, key = self._opened(kind, chosen)
            for file in self.source(kind).files():
                file.check(self._pieces(catalog, manifest.file(file.name), key, tick))
        except (SealBroken, ManifestBroken, SnapshotBroken, NotFound) as error:
            catalog.note(chosen, Record("verified", self.now(), False, self.node, error.message))
            raise SnapshotBroken(
                f"the {kind} snapshot {chosen} is broken: {error.message}",
                hint=f"Take another one now: flowrex-agent snapshots take {kind}",
            ) from error
        record = Record("verified", self.now(), True, self.node, "every byte was read")
        catalog.note(chosen, record)
        return record

    def restore(self, kind: str, name: str) -> str:
        """Put a snapshot back into its server; it is read through once before anything is sent.

        Returns:
            What comes next, in a sentence.
        """
        chosen = self.list(kind).find(name).name
        self.verify(kind, chosen)
        manifest, key = self._opened(kind, chosen)
        return self.source(kind).restore(
            lambda file: self._pieces(self.catalogs[kind], manifest.file(file), key, lambda: None)
        )

    def fetch(self, kind: str, name: str, folder: Path) -> tuple[Path, ...]:
        """Write a snapshot's files, open, into a folder, and return their paths.

        Raises:
            ConfigurationError: the folder can't be written, or one of them is there already.
        """
        chosen = self.list(kind).find(name).name
        manifest, key = self._opened(kind, chosen)
        written = []
        for file in manifest.files:
            path = folder / file.name
            with _fresh(path) as out:
                for piece in self._pieces(self.catalogs[kind], file, key, lambda: None):
                    out.write(piece)
            written.append(path)
        return tuple(written)

    def prune(self, kind: str) -> prune.Pruned:
        """Delete what retention lets go."""
        with self._locked(kind, "prune", lambda: None) as tick:
            return prune.prune(self.catalogs[kind], self.policy, self.now(), tick=tick)

    @contextmanager
    def _locked(
        self, kind: str, what: str, tick: Callable[[], None]
    ) -> Iterator[Callable[[], None]]:
        key, subject = consul_keys.snapshot_lock(self.environment, kind), f"the snapshots of {kind}"
        with lock.hold(self.consul, key, subject, self.node, what) as held:
            yield held.checked(tick)

    def _store(
        self,
        file: File,
        catalog: Catalog,
        name: str,
        key: bytes,
        tick: Callable[[], None],
    ) -> StoredFile:
        place = stream.Place(
            catalog.s3(),
            catalog.bucket,
            f"{catalog.folder(name)}{file.name}",
            file.name,
            catalog.retention.until(),
            catalog.retention.mode,
        )
        with file.read() as pieces:
            return stream.store(
                pieces, place, key, compress=file.compress, progress=lambda _: tick()
            )

    def _opened(self, kind: str, name: str) -> tuple[Manifest, bytes]:
        manifest = self.catalogs[kind].read(name)
        key = self.keys[kind].unwrap(manifest.key).bytes
        manifests.check(manifest, key)
        return manifest, key

    def _pieces(
        self, catalog: Catalog, file: StoredFile, key: bytes, tick: Callable[[], None]
    ) -> Pieces:
        place = stream.seal_place(file.key)
        return stream.load(
            catalog.s3(), catalog.bucket, file, key, place, progress=lambda _: tick()
        )

    def source(self, kind: str) -> Source:
        """Return what a kind's snapshots are taken of.

        Raises:
            UsageError: they are not switched on here.
        """
        if kind not in self.sources:
            raise UsageError(
                f"snapshots of {kind} are not switched on here",
                hint=f"Switched on: {', '.join(self.sources) or 'none'}.",
            )
        return self.sources[kind]


@contextmanager
def _fresh(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that nobody else reads; one that is not written to its end is removed."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"can't be written: {error.strerror}", path=path) from error
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
    except BaseException:
        path.unlink(missing_ok=True)
        raise
