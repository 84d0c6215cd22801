"""One PostgreSQL cluster and its repository: everything that is done with them, by pgBackRest."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Protocol

from agents.physical import archiver, info, run, verification
from agents.physical.archiver import Archiver
from agents.physical.info import DRILLED, HOLD, MARK, Repository
from agents.physical.keys import Keys
from agents.physical.verification import Verification
from agents.settings.model import Agent
from flowrex import pgbackrest
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, UsageError
from flowrex.files import write_atomic
from flowrex.pgbackrest import BackupType
from flowrex.secret import Secret

_INFO_S = 180.0
_QUERY_S = 20.0
_CREATE_S = 180.0
# What `check` waits for, and the time around it.
_CHECK_S = 60
_MODE = 0o640
_MARK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def _owners(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


class Runner(Protocol):
    """Runs a program to its end and returns what it prints; `agents.physical.run.run`."""

    def __call__(self, argv: list[str], *, limit_s: float, given: str = "") -> Awaitable[str]:
        """Run it."""
        ...


class Stanza:
    """The cluster of one node's settings."""

    def __init__(self, settings: Agent, *, runner: Runner = run.run) -> None:
        """Remember where everything is.

        Args:
            settings: the agent's.
            runner: runs programs.
        """
        self._agent = settings
        self.settings = settings.physical
        self.name = self.settings.stanza
        self.config = Path(self.settings.config_file)
        self._run = runner
        self._limit_s = seconds(self.settings.limit)

    def configuration(self, keys: Keys) -> Secret:
        """Return what pgbackrest.conf has to be."""
        chosen, store = self.settings, self._agent.s3
        ca_file = chosen.ca_file or store.ca_file
        return pgbackrest.configuration(
            pgbackrest.Stanza(
                name=self.name,
                data=Path(chosen.data_dir),
                port=chosen.port,
                user=chosen.user,
                lock_dir=Path(chosen.lock_dir),
                processes=chosen.processes,
                socket=Path(chosen.socket_dir),
                io_timeout_s=int(seconds(chosen.io_timeout)),
            ),
            pgbackrest.Repository(
                endpoint=chosen.endpoint or store.endpoint,
                region=store.region,
                bucket=store.backups_bucket,
                prefix=chosen.prefix,
                access_key=keys.access_key,
                secret_key=keys.secret_key,
                passphrase=keys.passphrase,
                ca_file=Path(ca_file) if ca_file else None,
                retention_days=chosen.retention_days,
            ),
        )

    def configure(self, keys: Keys) -> bool:
        """Write pgbackrest.conf; return whether it is another than before.

        A new file gets its folder's group, by the setgid bit: PostgreSQL's, whose user archives by
        it. Who may read one that is there stays as it is.

        Raises:
            ConfigurationError: it can't be written.
        """
        text = self.configuration(keys)
        try:
            if self.config.exists() and Secret(self.config.read_text()) == text:
                return False
            before = self.config.stat() if self.config.exists() else None
            mode = before.st_mode & 0o777 if before else _MODE
            write_atomic(self.config, text.reveal(), mode=mode)
            # The unit forbids the call, and a folder with its group's bit set makes it needless.
            if before and (before.st_uid, before.st_gid) != _owners(self.config):
                os.chown(self.config, before.st_uid, before.st_gid)
        except OSError as error:
            raise ConfigurationError(
                f"can't be written: {error.strerror}",
                path=self.config,
                hint="Its folder must be the agent's user's, with PostgreSQL's group; "
                "docs/runbooks/point-in-time-recovery.md has the commands.",
            ) from error
        return True

    async def create(self) -> None:
        """Make the stanza in the repository, or compare the one that is there."""
        await self._run(pgbackrest.stanza_create(self.config, self.name), limit_s=_CREATE_S)

    async def check(self) -> None:
        """Send one segment all the way and look for it in the archive."""
        argv = pgbackrest.check(self.config, self.name, timeout_s=_CHECK_S)
        await self._run(argv, limit_s=_CHECK_S + _CREATE_S)

    async def flush(self) -> None:
        """Have all that was committed until now archived, with a later commit behind it.

        A recovery to a time stops at the first commit that is later. Without one it would end
        before it knows that the time was reached, and fail.
        """
        await self._query("SELECT pg_current_xact_id();")
        await self.check()

    async def restore(self, argv: Sequence[str]) -> None:
        """Run the restore that `agents.physical.restore.plan` made."""
        await self._run(list(argv), limit_s=self._limit_s)

    async def backup(self, kind: BackupType, *, reason: str) -> None:
        """Take a backup.

        Args:
            kind: how much of it.
            reason: what for, shown by `list`.
        """
        notes = {"reason": reason, "node": self._agent.node or socket.gethostname()}
        argv = pgbackrest.backup(self.config, self.name, kind, annotations=notes)
        await self._run(argv, limit_s=self._limit_s)

    async def repository(self) -> Repository:
        """Return what the repository holds."""
        text = await self._run(pgbackrest.info(self.config, self.name), limit_s=_INFO_S)
        return info.parse(text, self.name)

    async def verify(self) -> Verification:
        """Read every byte of the repository."""
        text = await self._run(pgbackrest.verify(self.config, self.name), limit_s=self._limit_s)
        return verification.parse(text)

    async def expire(self, *, dry_run: bool) -> str:
        """Delete what is past its retention, and return what pgBackRest says of it."""
        argv = pgbackrest.expire(self.config, self.name, dry_run=dry_run)
        said = await self._run(argv, limit_s=self._limit_s)
        # The first line repeats every option, and the last tells how long it took.
        return "\n".join(line for line in said.splitlines() if " command " not in line)

    async def hold(self, label: str, reason: str | None) -> None:
        """Keep a backup from expiring, or, with None, no longer."""
        argv = pgbackrest.annotate(self.config, self.name, label, HOLD, reason or "")
        await self._run(argv, limit_s=_INFO_S)

    async def drilled(self, label: str, at: str) -> None:
        """Note at a backup that it was restored and was right."""
        argv = pgbackrest.annotate(self.config, self.name, label, DRILLED, at)
        await self._run(argv, limit_s=_INFO_S)

    async def archiver(self) -> Archiver:
        """Ask PostgreSQL how its archiver gets on."""
        return archiver.parse(await self._query(archiver.QUERY))

    async def mark(self, name: str) -> str:
        """Name this moment, so that a restore can find it; return its position.

        Raises:
            UsageError: the name can't be one.
        """
        if not _MARK_NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} can't name a moment; expected at most 63 letters, digits, dots, dashes "
                "and underscores"
            )
        newest = (await self.repository()).newest
        if newest is None:
            raise UsageError(
                "there is no backup yet from which this moment could be reached",
                hint="flowrex-agent physical backup full",
            )
        lsn = (await self._query(f"SELECT pg_create_restore_point('{name}');")).strip()
        # By this a restore knows from which backup to begin: PostgreSQL finds the name in the WAL
        # only once it is there.
        argv = pgbackrest.annotate(self.config, self.name, newest.label, f"{MARK}{name}", lsn)
        await self._run(argv, limit_s=_INFO_S)
        return lsn

    def archive_command(self) -> str:
        """Return what PostgreSQL's archive_command has to be."""
        return pgbackrest.archive_command(self.config, self.name)

    async def _query(self, sql: str) -> str:
        chosen = self.settings
        where = ["-h", chosen.socket_dir, "-p", str(chosen.port), "-d", pgbackrest.LOGIN_DATABASE]
        argv = [run.psql(), "-XqAt", "-v", "ON_ERROR_STOP=1", *where, "-U", chosen.user]
        return await self._run(argv, limit_s=_QUERY_S, given=sql)
