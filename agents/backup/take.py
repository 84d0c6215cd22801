"""Taking a backup: a snapshot, its dump and the globals into the store, and the manifest last."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from agents.backup import names, source, stream
from agents.backup.access import Access, Server
from agents.backup.catalog import Catalog
from agents.backup.datakey import DataKey, KeyRing
from agents.backup.login import Logins
from agents.backup.manifest import Manifest, StoredFile, signed
from agents.backup.programs import Output
from agents.backup.psql import ConflictWithRecovery, Tick
from agents.backup.source import Candidate, Snapshot
from agents.settings.backup import Backup as Settings
from flowrex import __version__
from flowrex.duration import seconds
from flowrex.errors import FlowrexError

log = logging.getLogger(__name__)

DATABASE = "database"
GLOBALS = "globals"
# A replica may cancel a dump that stands in its primary's way; the last attempt is the primary's.
_ATTEMPTS_ON_A_REPLICA = 2
_BETWEEN_WORDS = 64 << 20


def _nothing(message: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Source:
    """What is backed up, and how it is reached.

    Attributes:
        settings: the section `backup`.
        environment: which environment.
        node: this node.
        catalog: where backups are kept.
        keys: where data keys come from.
        logins: where logins come from.
        now: tells the time.
    """

    settings: Settings
    environment: str
    node: str
    catalog: Catalog
    keys: KeyRing
    logins: Logins
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @property
    def database(self) -> str:
        """Return the database's name."""
        return self.settings.postgres.database


def take(
    backed: Source,
    reason: str,
    *,
    name: str = "",
    tick: Tick = lambda: None,
    progress: Callable[[str], None] = _nothing,
) -> Manifest:
    """Take a backup. The caller holds the database's lock.

    Args:
        backed: what.
        reason: what for, one of `names.REASONS`.
        name: the backup's name, made from the reason and the time where empty.
        tick: called at least every second or so; what it raises ends the backup, and leaves none.
        progress: told in sentences how far it is.

    Raises:
        ServerUnreachable: a server does not answer, or refuses; there is no new backup.
        ObjectExists: there is a backup of that name.
    """
    started = backed.now()
    chosen = name or names.backup_name(reason, started)
    names.moment(chosen)
    key = backed.keys.new()
    with backed.logins.read() as access:
        postgres = backed.settings.postgres
        found = source.candidates(
            access,
            [Server.parse(one) for one in postgres.servers],
            postgres.database,
            tick=tick,
            max_lag_s=seconds(postgres.max_lag),
        )
        attempt = _Attempt(backed, access, chosen, reason, started, key, tick, progress)
        manifest = _first_that_succeeds(attempt, found)
    backed.catalog.write(manifest)
    progress(f"{chosen} is complete: {_mib(manifest.stored_size)} stored")
    return manifest


def _first_that_succeeds(attempt: _Attempt, found: list[Candidate]) -> Manifest:
    tries = [one for one in found for _ in range(_ATTEMPTS_ON_A_REPLICA if one.replica else 1)]
    for number, candidate in enumerate(tries, 1):
        try:
            return attempt.on(candidate)
        except ConflictWithRecovery as error:
            if number == len(tries):
                raise
            log.warning(
                "a replica cancelled the dump; it is tried again",
                extra={"server": str(candidate.server), "why": error.message},
            )
    raise AssertionError("there is a candidate, and the last one returns or raises")


@dataclass(frozen=True)
class _Attempt:
    backed: Source
    access: Access
    name: str
    reason: str
    started: datetime
    key: DataKey
    tick: Tick
    progress: Callable[[str], None]

    def on(self, candidate: Candidate) -> Manifest:
        self.progress(f"dumping {self.backed.database} at {candidate.server}")
        with source.snapshot(
            self.access,
            candidate,
            self.backed.database,
            tables=self.backed.settings.tables,
            lock_timeout_s=seconds(self.backed.settings.postgres.lock_timeout),
            tick=self.tick,
        ) as held:
            stored = [self._dump(candidate, held)]
            try:
                stored.append(self._globals(candidate))
            except BaseException:
                # Locked objects stay, without a manifest, until their time is over.
                with suppress(FlowrexError):
                    self.backed.catalog.s3().delete(self.backed.catalog.bucket, stored[0].key)
                raise
        return self._manifest(candidate, held, tuple(stored))

    def _dump(self, candidate: Candidate, held: Snapshot) -> StoredFile:
        wait = int(seconds(self.backed.settings.postgres.lock_timeout) * 1000)
        command = [
            self.access.program("pg_dump"),
            "--format=custom",
            # zstd does it, faster and better.
            "--compress=0",
            f"--snapshot={held.id}",
            f"--lock-wait-timeout={wait}",
            "--no-password",
        ]
        return self._store(command, candidate, DATABASE, held.facts.bytes)

    def _globals(self, candidate: Candidate) -> StoredFile:
        command = [
            self.access.program("pg_dumpall"),
            "--globals-only",
            # Reading them takes a superuser, and Vault makes the logins that have one anew.
            "--no-role-passwords",
            "--no-tablespaces",
            "--no-password",
            f"--database={self.backed.database}",
        ]
        return self._store(command, candidate, GLOBALS, 0)

    def _store(
        self, command: list[str], candidate: Candidate, file: str, expected: int
    ) -> StoredFile:
        catalog = self.backed.catalog
        place = stream.Place(
            catalog.s3(),
            catalog.bucket,
            f"{catalog.folder(self.name)}{file}",
            file,
            catalog.retention.until(),
            catalog.retention.mode,
        )
        environ = self.access.environ(candidate.server, self.backed.database)
        where = f"{self.backed.database} at {candidate.server}"
        told = 0

        def tell(plain: int) -> None:
            nonlocal told
            self.tick()
            if plain - told >= _BETWEEN_WORDS:
                told = plain
                self.progress(f"{_mib(plain)} of about {_mib(expected)} dumped")

        with Output(command, environ, where, tick=self.tick) as output:
            return stream.store(
                output.pieces(),
                place,
                self.key.bytes,
                part=stream.part_size(expected),
                progress=tell,
                good=output.judge,
            )

    def _manifest(
        self, candidate: Candidate, held: Snapshot, stored: tuple[StoredFile, ...]
    ) -> Manifest:
        facts = held.facts
        manifest = Manifest(
            kind=self.backed.catalog.kind,
            name=self.name,
            database=self.backed.database,
            environment=self.backed.environment,
            node=self.backed.node,
            reason=self.reason,
            started_at=self.started,
            snapshot_at=facts.at,
            completed_at=self.backed.now(),
            files=stored,
            key=self.key.wrapped,
            server_version=facts.server_version,
            source=f"{candidate.server} ({'replica' if candidate.replica else 'primary'})",
            schema_revision=facts.schema_revision,
            rows=facts.rows,
            tools={
                "pg_dump": _version(self.access.program("pg_dump")),
                "flowrex-agent": __version__,
                "zstandard": version("zstandard"),
            },
            details={"database_bytes": facts.bytes},
        )
        return signed(manifest, self.key.bytes)


def _version(program: str) -> str:
    import subprocess

    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    return said.stdout.strip().rsplit(") ", 1)[-1]


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
