"""PostgreSQL, configured as its administrator. The only importer of asyncpg in the generator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.pgbackrest import LOGIN_DATABASE
from flowrex.secret import Secret
from generator.bootstrap import (
    postgres_backup,
    postgres_monitor,
    postgres_physical,
    postgres_plan,
)
from generator.bootstrap.postgres_plan import VAULT, Wish
from generator.bootstrap.report import State, Step
from generator.bootstrap.step import ensure

CONNECT_TIMEOUT_S = 10
COMMAND_TIMEOUT_S = 60
_DSN_FORM = "Write it as postgresql://<user>:<password>@<host>:<port>/postgres."
_DSN_HINT = "FLOWREX_DATABASE_ADMIN_URL names PostgreSQL's administrator."


class Server:
    """One connection of the administrator, without an event loop to be seen."""

    def __init__(self, dsn: Secret, *, database: str | None = None) -> None:
        """Connect.

        Args:
            dsn: `postgresql://<user>:<password>@<host>:<port>/<database>`.
            database: another database than the DSN's.

        Raises:
            ServerUnreachable: PostgreSQL does not answer, or refuses.
            ConfigurationError: the DSN is none.
        """
        self._loop = asyncio.new_event_loop()
        other = {} if database is None else {"database": database}
        try:
            with mapped():
                self._connection = self._loop.run_until_complete(
                    asyncpg.connect(
                        dsn.reveal(),
                        timeout=CONNECT_TIMEOUT_S,
                        command_timeout=COMMAND_TIMEOUT_S,
                        **other,
                    )
                )
        except ValueError:
            self._loop.close()
            # What is wrong with it would be quoted, its password included.
            raise ConfigurationError("PostgreSQL's DSN can't be read", hint=_DSN_FORM) from None
        except FlowrexError:
            self._loop.close()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._loop.run_until_complete(self._connection.close(timeout=CONNECT_TIMEOUT_S))
        finally:
            self._loop.close()

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """Return the query's first row, or None."""
        with mapped():
            found = self._loop.run_until_complete(self._connection.fetchrow(query, *values))
        return None if found is None else tuple(found)

    def execute(self, *statements: str, transactional: bool = True) -> None:
        """Run statements, all or none where that is possible."""
        with mapped():
            self._loop.run_until_complete(self._execute(statements, transactional))

    async def _execute(self, statements: tuple[str, ...], transactional: bool) -> None:
        if not transactional:
            for statement in statements:
                await self._connection.execute(statement)
            return
        async with self._connection.transaction():
            for statement in statements:
                await self._connection.execute(statement)


def steps(dsn: Secret, database: str, *, check_only: bool) -> Iterator[Step]:
    """Make PostgreSQL have the roles, the database and the privileges.

    Args:
        dsn: the administrator's.
        database: the platform's database.
        check_only: change nothing.
    """
    whole = (
        *postgres_plan.cluster_wishes(database),
        *postgres_backup.cluster_wishes(),
        *postgres_physical.cluster_wishes(),
        *postgres_monitor.cluster_wishes(),
    )
    inside = (
        *postgres_plan.database_wishes(database),
        *postgres_backup.database_wishes(database),
    )
    with Server(dsn) as server:
        for wish in whole:
            yield _fulfil(server, wish, check_only=check_only)
        exists = server.row("SELECT true FROM pg_database WHERE datname = $1", database)
    with Server(dsn, database=LOGIN_DATABASE) as server:
        for wish in (*postgres_physical.login_wishes(), *postgres_monitor.login_wishes()):
            yield _fulfil(server, wish, check_only=check_only)
    if exists is None:
        for wish in inside:
            yield Step(f"postgres {wish.name}", State.MISSING)
        return
    with Server(dsn, database=database) as server:
        for wish in inside:
            yield _fulfil(server, wish, check_only=check_only)


def _fulfil(server: Server, wish: Wish, *, check_only: bool) -> Step:
    try:
        answer = server.row(wish.question)
    except ServerRefused:
        if not check_only:
            raise
        # The question names a role that an earlier step would have made.
        answer = None
    present, right = answer or (False, False)
    return ensure(
        f"postgres {wish.name}",
        lambda: server.execute(*wish.statements, transactional=wish.transactional),
        present=bool(present),
        same=bool(right),
        check_only=check_only,
    )


def vault_login_belongs_to(server: Server) -> str | None:
    """Return the mark of the Vault that keeps the password of Vault's login, or None."""
    found = server.row(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = $1", VAULT
    )
    return None if found is None else found[0]


def set_vault_password(server: Server, password: Secret) -> None:
    """Give Vault's login a password and take its mark away, until Vault has rotated it."""
    literal = server.row("SELECT quote_literal($1::text)", password.reveal())
    assert literal is not None
    server.execute(
        # The statement must not reach the server's log with the password in it.
        "SET LOCAL log_statement = 'none'",
        "SET LOCAL log_min_error_statement = 'panic'",
        "SET LOCAL log_min_duration_statement = -1",
        "SET LOCAL password_encryption = 'scram-sha-256'",
        f"ALTER ROLE {VAULT} PASSWORD {literal[0]}",
        f"COMMENT ON ROLE {VAULT} IS NULL",
    )


def mark_vault_login(server: Server, mark: str) -> None:
    """Note which Vault keeps the password of Vault's login.

    Args:
        server: the administrator's connection.
        mark: letters, digits, spaces and dashes.
    """
    literal = server.row("SELECT quote_literal($1::text)", mark)
    assert literal is not None
    server.execute(f"COMMENT ON ROLE {VAULT} IS {literal[0]}")


@contextmanager
def mapped() -> Iterator[None]:
    """Turn what asyncpg and the network raise into Flowrex's errors; no DSN is ever shown."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise as_flowrex_error(error) from error


def as_flowrex_error(error: Exception) -> FlowrexError:
    """Return the Flowrex error that says what asyncpg's or the network's error means."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(
        error,
        asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InsufficientPrivilegeError,
    ):
        return PermissionRefused(f"PostgreSQL refuses: {text}", hint=_DSN_HINT)
    if isinstance(error, asyncpg.PostgresError):
        return ServerRefused(f"PostgreSQL fails: {text}", hint=_DSN_HINT)
    return ServerUnreachable(f"PostgreSQL does not answer: {text}", hint=_DSN_HINT)
