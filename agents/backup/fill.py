"""Putting a backup into a database, and comparing what is there with its manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from agents.backup import source
from agents.backup.access import Access, Server
from agents.backup.contents import State
from agents.backup.feed import Fed
from agents.backup.manifest import Manifest
from agents.backup.psql import Session, Tick
from agents.backup.seal import SealBroken
from agents.backup.take import GLOBALS
from agents.backup.verify import Reader, listing

_OF_THE_SYSTEM = b" ACL pg_catalog "


@dataclass(frozen=True)
class Target:
    """Where a backup is put.

    Attributes:
        access: as whom.
        server: where.
        tick: called at least every second or so; what it raises ends the work.
        progress: told in sentences how far it is.
    """

    access: Access
    server: Server
    tick: Tick = lambda: None
    progress: Callable[[str], None] = lambda message: None

    def session(self, database: str) -> Session:
        """Return a session in one of its databases."""
        return Session(self.access, self.server, database, tick=self.tick)


def roles(reader: Reader, manifest: Manifest, key: bytes, target: Target, database: str) -> None:
    """Make the roles that the backup knows, in a server that has none of them.

    Args:
        reader: how the backup is read.
        manifest: which backup.
        key: its data key.
        target: where to.
        database: one that is there to be connected to.
    """
    command = [target.access.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    environ = target.access.environ(target.server, database)
    pieces = reader.pieces(manifest.file(GLOBALS), key, tick=target.tick, progress=target.progress)
    with Fed(command, environ, f"the roles at {target.server}", tick=target.tick) as program:
        program.feed(pieces)
        program.judge()


def fill(
    pieces: Callable[[], Iterator[bytes]],
    target: Target,
    database: str,
    *,
    owner: str = "",
) -> None:
    """Put a dump into an empty database.

    Args:
        pieces: reads the dump, each time from the beginning.
        target: where to.
        database: the empty one.
        owner: the role to act as, whose everything is to be. Then what only a superuser may grant
            is left out; empty for a superuser.

    Raises:
        SealBroken: the backup is not what was written.
        ServerUnreachable: the server is gone, or refuses.
    """
    command = [
        target.access.program("pg_restore"),
        f"--dbname={database}",
        "--exit-on-error",
        "--no-password",
        "--no-tablespaces",
    ]
    environ = target.access.environ(target.server, database)
    where = f"{database} at {target.server}"
    with tempfile.NamedTemporaryFile(prefix="flowrex-toc-") as contents:
        if owner:
            listed = listing(target.access, pieces(), target.tick, to_the_end=False)
            contents.write(b"".join(line for line in listed if _OF_THE_SYSTEM not in line))
            contents.flush()
            command += [f"--role={owner}", f"--use-list={contents.name}"]
        with Fed(command, environ, where, tick=target.tick) as program:
            program.feed(pieces())
            program.judge()


def system_grants(target: Target, database: str) -> int:
    """Return how many rights on the system's own functions a database has given."""
    with target.session(database) as session:
        return int(
            session.value(
                "SELECT count(*) FROM pg_proc, aclexplode(proacl)"
                " WHERE pronamespace = 'pg_catalog'::regnamespace"
            )
        )


def compare(wanted: State, target: Target, database: str) -> dict[str, int]:
    """Insist that a database has what was promised, and return its rows by table.

    Raises:
        SealBroken: it has not.
    """
    with target.session(database) as session:
        revision = source.revision(session)
        rows = source.counts(session, sorted(wanted.rows))
    if revision != wanted.revision:
        raise SealBroken(
            f"what was restored is at revision {revision or 'none'}; it should be at "
            f"{wanted.revision or 'none'}"
        )
    if wrong := differences(wanted.rows, rows):
        raise SealBroken(f"what was restored differs: {'; '.join(wrong)}")
    return rows


def differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Return a sentence for each table whose rows are not as many as they should be."""
    return [
        f"{table} has {found.get(table, 0)} rows instead of {count}"
        for table, count in sorted(wanted.items())
        if found.get(table) != count
    ]
