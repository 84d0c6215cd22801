"""Where a dump is taken from, and what is known of the snapshot that it is taken of."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agents.backup.access import Access, Server
from agents.backup.contents import State
from agents.backup.psql import Session, Tick
from flowrex.errors import ConfigurationError, ServerUnreachable

log = logging.getLogger(__name__)

# A login that Vault made on the primary must reach the replica first.
_LOGIN_WITHIN_S = 15.0
_QUALIFIED = re.compile(r"[A-Za-z_][\w$]*\.[A-Za-z_][\w$]*")
_VERSION_TABLE = "migrations.alembic_version"
# The moment whose data a server has. A replica that streams and has replayed all that it got is up
# to date, however long ago the last change was; any other is as old as the last one it replayed.
_DATA_OF = (
    "CASE WHEN NOT pg_is_in_recovery() OR (EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS"
    " NOT NULL) AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()) THEN now()"
    " ELSE least(now(), coalesce(pg_last_xact_replay_timestamp(), 'epoch')) END"
)
_TABLES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND c.relpersistence = 'p'"
    " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
)


@dataclass(frozen=True)
class Candidate:
    """A server that may be dumped.

    Attributes:
        server: where.
        replica: whether it follows another.
        lag_s: seconds that it is behind.
    """

    server: Server
    replica: bool
    lag_s: float


def order(found: Sequence[Candidate], max_lag_s: float) -> list[Candidate]:
    """Return the servers to dump, the best first: replicas that are not far behind, the primary.

    Args:
        found: those that answer.
        max_lag_s: a replica that is further behind is left out.
    """
    fresh = [one for one in found if not one.replica or one.lag_s <= max_lag_s]
    return sorted(fresh, key=lambda one: (not one.replica, one.lag_s))


def candidates(
    access: Access,
    servers: Sequence[Server],
    database: str,
    *,
    tick: Tick,
    max_lag_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Candidate]:
    """Ask every server, and return those to dump, the best first.

    Raises:
        ServerUnreachable: none of them can be dumped.
    """
    found, problems = [], []
    for server in servers:
        try:
            found.append(_ask(access, server, database, tick, sleep))
        except ServerUnreachable as error:
            log.info("a server is left out", extra={"server": str(server), "why": error.message})
            problems.append(error.message)
    usable = order(found, max_lag_s)
    if not usable:
        behind = [f"{one.server} is {one.lag_s:.0f} s behind" for one in found]
        raise ServerUnreachable(
            f"no server of {database} can be dumped: {'; '.join(problems + behind)}",
            hint="Look whether PostgreSQL runs, and at backup.postgres.servers.",
        )
    return usable


def _ask(
    access: Access, server: Server, database: str, tick: Tick, sleep: Callable[[float], None]
) -> Candidate:
    end = time.monotonic() + _LOGIN_WITHIN_S
    while True:
        try:
            with Session(access, server, database, tick=tick) as session:
                replica = session.value("SELECT pg_is_in_recovery()") == "t"
                lag = session.value(
                    f"SELECT extract(epoch FROM now() - ({_DATA_OF})) "  # noqa: S608
                )
                return Candidate(server, replica, max(0.0, float(lag)))
        except ServerUnreachable as error:
            unknown = "authentication failed" in error.message or "does not exist" in error.message
            if not unknown or time.monotonic() > end:
                raise
            sleep(0.5)
            tick()


@dataclass(frozen=True)
class Facts:
    """What is true in the snapshot; see `agents.backup.manifest.Manifest`."""

    at: datetime
    server_version: str
    bytes: int
    schema_revision: str
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """What tells it apart from the database at another time."""
        return State(self.rows, self.schema_revision)


@dataclass(frozen=True)
class Snapshot:
    """A moment of a database that several sessions can look at.

    Attributes:
        id: by which pg_dump takes it up.
        facts: what is true in it.
    """

    id: str
    facts: Facts


@contextmanager
def snapshot(
    access: Access,
    candidate: Candidate,
    database: str,
    *,
    tables: Sequence[str] | None,
    lock_timeout_s: float,
    tick: Tick,
) -> Iterator[Snapshot]:
    """Hold a snapshot for the length of a block.

    Args:
        access: as whom.
        candidate: where.
        database: of which database.
        tables: whose rows are counted, as `schema.table`; all of them where None.
        lock_timeout_s: seconds to wait for a table that somebody holds.
        tick: called every second.
    """
    with Session(access, candidate.server, database, tick=tick) as session:
        session.ask(f"SET lock_timeout = {int(lock_timeout_s * 1000)}")
        session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        exported = session.value("SELECT pg_export_snapshot()")
        yield Snapshot(exported, facts(session, tables))


def facts(session: Session, tables: Sequence[str] | None) -> Facts:
    """Return what is true now, or in the session's transaction."""
    version, at, size = session.ask(
        "SELECT current_setting('server_version'),"  # noqa: S608
        f" extract(epoch FROM ({_DATA_OF})),"
        " pg_database_size(current_database())"
    )[0]
    return Facts(
        datetime.fromtimestamp(float(at), UTC),
        version,
        int(size),
        revision(session),
        counts(session, tables),
    )


def revision(session: Session) -> str:
    """Return the migrations' revision, "" where there never was one."""
    if not session.value(f"SELECT to_regclass('{_VERSION_TABLE}')"):
        return ""
    rows = session.ask(f"SELECT version_num FROM {_VERSION_TABLE} ORDER BY 1")  # noqa: S608
    return ",".join(row[0] for row in rows)


def counts(session: Session, tables: Sequence[str] | None) -> dict[str, int]:
    """Return how many rows tables have.

    Raises:
        ServerRefused: there is no such table, or it may not be read.
        ConfigurationError: a name is none of a table.
    """
    wanted = [row[0] for row in session.ask(_TABLES)] if tables is None else tables
    for name in tables or ():
        if not _QUALIFIED.fullmatch(name):
            raise ConfigurationError(f"backup.tables has {name!r}; expected schema.table")
    return {
        name: int(session.value(f"SELECT count(*) FROM {name}"))  # noqa: S608 - quoted by format
        for name in wanted
    }
