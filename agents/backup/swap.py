"""Putting one database in another's place, at once, and keeping the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from agents.backup.fill import Target
from agents.backup.psql import ProgramFailed, Session
from flowrex.errors import ServerRefused

log = logging.getLogger(__name__)

# Led from a database that is not renamed.
LED_FROM = "postgres"
_ATTEMPTS = 5


def make(target: Target, fresh: str, like: str, owner: str) -> bool:
    """Make an empty database with another's owner, privileges and settings.

    Args:
        target: where.
        fresh: its name.
        like: the other, where there is one.
        owner: whose it is to be.

    Returns:
        Whether the other is there.
    """
    with target.session(LED_FROM) as session:
        session.ask(f"CREATE DATABASE {fresh} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8'")
        session.ask(f"REVOKE ALL ON DATABASE {fresh} FROM PUBLIC")
        for statement in _of(session, like, fresh):
            session.ask(statement)
        return exists(session, like)


def exists(session: Session, database: str) -> bool:
    """Tell whether there is such a database."""
    return bool(session.value(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"))  # noqa: S608


def drop(target: Target, database: str) -> None:
    """Drop a database that nobody uses yet."""
    with target.session(LED_FROM) as session:
        session.ask(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def beginning(target: Target, prefix: str) -> list[str]:
    """Return the databases whose names begin so."""
    with target.session(LED_FROM) as session:
        return [
            row[0]
            for row in session.ask(
                f"SELECT datname FROM pg_database WHERE starts_with(datname, '{prefix}') ORDER BY 1"  # noqa: S608
            )
        ]


def swap(
    target: Target,
    fresh: str,
    name: str,
    kept_as: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Give `fresh` the name of the database in use, which goes on as `kept_as`.

    Both get their names in one transaction: whoever dies here, one of the two has the name.

    Args:
        target: where.
        fresh: the database that takes the place.
        name: the place.
        kept_as: what the one that has it now is called afterwards.
        sleep: waits between attempts.

    Raises:
        ServerRefused: somebody kept connecting; nothing has changed.
    """
    with target.session(LED_FROM) as session:
        present = exists(session, name)
    for attempt in range(1, _ATTEMPTS + 1):
        with target.session(LED_FROM) as session:
            ended = _end_connections(session, name)
            target.progress(f"ended {ended} connections to {name}")
            try:
                session.ask("BEGIN")
                # A renaming holds off new connections, and waits five seconds for the old.
                if present:
                    session.ask(f"ALTER DATABASE {name} RENAME TO {kept_as}")
                session.ask(f"ALTER DATABASE {fresh} RENAME TO {name}")
                session.ask("COMMIT")
                return
            except ProgramFailed as error:
                if "being accessed by other users" not in error.message:
                    raise
                log.warning("connections came back", extra={"attempt": attempt})
                reason = error.message
        sleep(0.2 * attempt)
        target.tick()
    raise ServerRefused(
        f"{name} can't be replaced while it is used: {reason}",
        hint="Stop the jobs that use it, and end administrators' sessions, which a restore may not "
        "end. It is as it was; nothing was restored.",
    )


def _end_connections(session: Session, database: str) -> int:
    return int(
        session.value(
            # A superuser's only a superuser may end; a background worker ends by itself.
            "SELECT count(*) FROM (SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a"  # noqa: S608
            " JOIN pg_roles AS r ON r.oid = a.usesysid AND NOT r.rolsuper"
            f" WHERE a.datname = '{database}' AND a.pid <> pg_backend_pid()) AS ended"
        )
    )


def _of(session: Session, like: str, fresh: str) -> list[str]:
    """Return the statements that give `fresh` the privileges and settings of `like`."""
    privileges = session.ask(
        f"SELECT format('GRANT %s ON DATABASE {fresh} TO %s', a.privilege_type,"  # noqa: S608
        " a.grantee::regrole) FROM pg_database AS d, aclexplode(d.datacl) AS a"
        f" WHERE d.datname = '{like}' AND a.grantee NOT IN (0, d.datdba)"
    )
    settings = session.ask(
        f"SELECT format('ALTER DATABASE {fresh} SET %I TO %L',"  # noqa: S608
        " split_part(c, '=', 1), substr(c, strpos(c, '=') + 1))"
        " FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase,"
        f" unnest(s.setconfig) AS c WHERE d.datname = '{like}' AND s.setrole = 0"
    )
    return [row[0] for row in [*privileges, *settings]]
