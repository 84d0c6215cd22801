"""The agent's two logins: one reads everything and writes nothing, one restores and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from flowrex.errors import PermissionRefused, ServerRefused
from flowrex.secret import Secret
from flowrex.vault import VaultClient
from generator.bootstrap import Target
from generator.bootstrap.postgres import Server

ALLOWED_TO_BACKUP = [
    "SELECT * FROM trading.instruments",
    "SELECT * FROM migrations.alembic_version",
    "LOCK TABLE trading.instruments IN ACCESS SHARE MODE",
    "SELECT pg_export_snapshot()",
    "SELECT pg_database_size('flowrex')",
]

REFUSED_TO_BOTH = [
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT pg_read_file('postgresql.conf')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "CREATE ROLE mine",
    "CREATE EXTENSION file_fdw",
    "SET ROLE flowrex_vault",
    "ALTER ROLE flowrex_app SUPERUSER",
    "ALTER SYSTEM SET log_statement = 'all'",
    "GRANT pg_write_all_data TO CURRENT_USER",
]

REFUSED_TO_BACKUP = [
    *REFUSED_TO_BOTH,
    "DELETE FROM trading.instruments",
    "UPDATE migrations.alembic_version SET version_num = 'x'",
    "TRUNCATE trading.instruments",
    "DROP TABLE trading.instruments",
    "LOCK TABLE trading.instruments IN ACCESS EXCLUSIVE MODE",
    "CREATE TABLE mine (x int)",
    "CREATE DATABASE mine",
    "ALTER DATABASE flowrex RENAME TO mine",
    "SET ROLE flowrex_owner",
    "SET ROLE flowrex_restore",
    "SET ROLE pg_signal_backend",
]

REFUSED_TO_RESTORE = [
    *REFUSED_TO_BOTH,
    "DROP DATABASE postgres",
    "ALTER DATABASE postgres RENAME TO mine",
    "SET SESSION AUTHORIZATION postgres",
    "SET ROLE flowrex_backup",
    "SET ROLE flowrex_app",
]


@pytest.fixture(scope="module")
def login(
    target: Target, vault_as: Callable[[str], VaultClient]
) -> Callable[[str], AbstractContextManager[Server]]:
    """Take one of the agent's logins from Vault, and give it back."""

    @contextmanager
    def login(role: str, database: str = "") -> Iterator[Server]:
        vault = vault_as("agent")
        lease = vault.lease(f"database/creds/{role}")
        username, password = (lease.values[key].reveal() for key in ("username", "password"))
        where = target.environment.postgres
        dsn = f"postgresql://{username}:{password}@{where.host}:{where.port}/{where.database}"
        try:
            with Server(Secret(dsn), database=database or where.database) as server:
                yield server
        finally:
            vault.write("sys/leases/revoke", {"lease_id": lease.id})

    return login


@pytest.mark.parametrize("statement", ALLOWED_TO_BACKUP)
def test_a_dump_may_read(
    login: Callable[..., AbstractContextManager[Server]], statement: str
) -> None:
    with login("backup") as server:
        server.execute(statement)


@pytest.mark.parametrize("statement", REFUSED_TO_BACKUP)
def test_a_dump_may_do_nothing_else(
    login: Callable[..., AbstractContextManager[Server]], statement: str
) -> None:
    with login("backup") as server, pytest.raises(ServerRefused) as caught:
        server.execute(statement, transactional=statement.startswith("LOCK"))
    assert type(caught.value) is PermissionRefused, caught.value.message


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_a_dump_reaches_no_other_database(
    login: Callable[..., AbstractContextManager[Server]], database: str
) -> None:
    with pytest.raises(PermissionRefused, match="CONNECT"), login("backup", database):
        pass


@pytest.mark.parametrize("statement", REFUSED_TO_RESTORE)
def test_a_restore_may_do_no_more_than_restore(
    login: Callable[..., AbstractContextManager[Server]], statement: str
) -> None:
    with login("restore") as server, pytest.raises(ServerRefused) as caught:
        server.execute(statement, transactional=False)
    assert type(caught.value) is PermissionRefused, caught.value.message


def test_what_a_restore_makes_is_the_owners(
    login: Callable[..., AbstractContextManager[Server]],
) -> None:
    with login("restore", "postgres") as server:
        server.execute(
            "CREATE DATABASE flowrex_restore_probe OWNER flowrex_owner", transactional=False
        )
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1"
        assert server.row(owner, "flowrex_restore_probe") == ("flowrex_owner",)
        server.execute("DROP DATABASE flowrex_restore_probe", transactional=False)
