"""A cluster that was recovered to a moment, and runs for a while where nobody else reaches it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agents.backup import scratch, source
from agents.backup.access import Access, Server
from agents.backup.hands import Hands
from agents.backup.programs import Output
from agents.backup.psql import Session
from agents.backup.source import Facts
from agents.physical import alone
from agents.physical import restore as restoring
from agents.physical.info import Repository
from agents.physical.stanza import Stanza
from agents.physical.target import Target
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, ServerRefused
from flowrex.pgbackrest import LOGIN_DATABASE

_DEBIAN = Path("/usr/lib/postgresql")
# What is restored, and the WAL that is replayed into it, need some more room than the backup says.
_ROOM = 1.1
# Whatever the cluster was configured for, this one serves one dump. The files that Debian keeps in
# /etc are no part of a backup, so it is given some of its own.
_SETTINGS = {
    **scratch.SETTINGS,
    # No connection before the moment is reached; with it, PostgreSQL would want every limit to be
    # as high as it was at the primary.
    "hot_standby": "off",
    "wal_level": "replica",
    "max_prepared_transactions": "64",
    "max_locks_per_transaction": "1024",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "logging_collector": "off",
    "ssl": "off",
    "jit": "off",
    "huge_pages": "off",
    "external_pid_file": "",
}


@dataclass(frozen=True)
class Recovered:
    """The cluster.

    Attributes:
        access: as whom it is reached.
        server: where.
        database: the database that is asked for.
        label: the backup that it began from.
        facts: what is in the database.
    """

    access: Access
    server: Server
    database: str
    label: str
    facts: Facts

    def pieces(self, hands: Hands) -> Iterator[bytes]:
        """Read the database's dump, from its beginning.

        Args:
            hands: how it is watched.

        Raises:
            ServerUnreachable: the dump did not come to its end.
        """
        command = [
            self.access.program("pg_dump"),
            "--format=custom",
            "--compress=0",
            "--no-password",
        ]
        environ = self.access.environ(self.server, self.database)
        with Output(command, environ, "the recovered cluster", tick=hands.tick) as output:
            yield from output.pieces()
            output.judge()


@contextmanager
def recovered(
    stanza: Stanza,
    repository: Repository,
    target: Target,
    folder: Path,
    hands: Hands,
    *,
    bin_dir: str | None = None,
) -> Iterator[Recovered]:
    """Recover the cluster to a moment below a folder, and run it for the length of a block.

    Args:
        stanza: the cluster.
        repository: what there is of it.
        target: the moment.
        folder: below which it is made; nothing of it stays.
        hands: how it is watched.
        bin_dir: where PostgreSQL's programs are; None: Debian's of the cluster's version.

    Raises:
        NotFound: no backup is from before the moment.
        HardStop: the backup was taken from faulty pages.
        ServerRefused: the moment is not reached, or what was restored does not run.
        ConfigurationError: there is no room, or PostgreSQL of that version is not installed.
    """
    chosen, database = stanza.settings, stanza.settings.database
    with scratch.home(folder) as at:
        plan = restoring.plan(
            repository,
            target,
            config=stanza.config,
            stanza=stanza.name,
            own_data=Path(chosen.data_dir),
            into=at.data,
            database=database,
        )
        _insist_on_room(folder, plan.backup.size)
        restoring.prepare(plan)
        hands.say(f"restoring {plan.backup.label} below {folder}")
        alone.in_thread(stanza.restore(plan.argv), hands.tick)
        access = Access(chosen.user, bin_dir=bin_dir or _programs(at.data))
        hands.say(f"replaying WAL to {target}")
        limit_s = seconds(chosen.limit)
        with (
            _reached(target),
            scratch.serving(access, at, _configured(at), within_s=limit_s, tick=hands.tick),
        ):
            with Session(access, at.server, LOGIN_DATABASE, tick=hands.tick) as session:
                owner = session.value(
                    "SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid"
                )
            everything = replace(access, user=owner)
            with Session(everything, at.server, database, tick=hands.tick) as session:
                facts = source.facts(session, None)
            hands.say(f"{target} is reached: {sum(facts.rows.values())} rows")
            yield Recovered(everything, at.server, database, plan.backup.label, facts)


def _configured(at: scratch.Home) -> dict[str, str]:
    """Write the files that a server reads, and return its settings."""
    texts = {
        "postgresql.conf": "",
        # Only who can reach the socket's folder can reach the server.
        "pg_hba.conf": "local all all trust\n",
        "pg_ident.conf": "",
    }
    for name, text in texts.items():
        path = at.path / name
        path.write_text(text)
        path.chmod(0o644)  # the folder is closed
    return {
        **_SETTINGS,
        "config_file": str(at.path / "postgresql.conf"),
        "hba_file": str(at.path / "pg_hba.conf"),
        "ident_file": str(at.path / "pg_ident.conf"),
    }


def _programs(data: Path) -> str | None:
    """Return where PostgreSQL of the version of some data is, or None."""
    version = (data / "PG_VERSION").read_text().strip()
    folder = _DEBIAN / version / "bin"
    return str(folder) if folder.is_dir() else None


def _insist_on_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size * _ROOM:
        raise ConfigurationError(
            f"{folder} has {free >> 20} MiB, and the cluster takes {size >> 20} MiB",
            hint="backup.scratch_dir names another folder.",
        )


@contextmanager
def _reached(target: Target) -> Iterator[None]:
    """Say what it means where the server ends before it has reached the moment."""
    try:
        yield
    except ServerRefused as error:
        if "before configured recovery target was reached" not in error.message:
            raise
        raise ServerRefused(
            f"{target} is not in the archive: the WAL ends before it",
            hint="`end` restores all that was archived; `flowrexctl backup list ENV --kind "
            "physical` shows from when on there is WAL.",
        ) from error
