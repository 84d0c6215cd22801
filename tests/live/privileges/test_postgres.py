from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from flowrex.errors import FlowrexError, PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret
from generator.bootstrap import Target
from generator.bootstrap.postgres import Server
from tests.live.privileges.conftest import Login

TABLE = "privileges_probe"


@pytest.fixture(scope="module")
def migrate(database_login: Callable[[str], Login]) -> Iterator[Server]:
    """The migrations' connection, with a table and a version table made by it."""
    with Server(database_login("migrate").dsn) as server:
        server.execute(
            f"CREATE TABLE {TABLE} (id serial PRIMARY KEY, name text)",
            f"CREATE TABLE migrations.{TABLE} (version text)",
        )
        yield server
        server.execute(f"DROP TABLE {TABLE}", f"DROP TABLE migrations.{TABLE}")


@pytest.fixture(scope="module")
def backend(database_login: Callable[[str], Login], migrate: Server) -> Iterator[Server]:
    """The application's connection, to a database that has been migrated."""
    with Server(database_login("backend").dsn) as server:
        yield server


ALLOWED_TO_BACKEND = [
    f"INSERT INTO {TABLE} (name) VALUES ('a')",
    f"SELECT * FROM {TABLE}",
    f"UPDATE {TABLE} SET name = 'b'",
    f"DELETE FROM {TABLE}",
]

REFUSED_TO_BACKEND = [
    "CREATE TABLE mine (x int)",
    "CREATE TEMP TABLE mine (x int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION pgcrypto",
    f"ALTER TABLE {TABLE} ADD COLUMN more text",
    f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL",
    f"DROP TABLE {TABLE}",
    f"TRUNCATE {TABLE}",
    f"CREATE INDEX ON {TABLE} (name)",
    f"SELECT * FROM migrations.{TABLE}",
    f"UPDATE migrations.{TABLE} SET version = 'x'",
    "CREATE TABLE migrations.mine (x int)",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT pg_reload_conf()",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/flowrex-privileges-probe'",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "DROP DATABASE flowrex",
    "SET ROLE flowrex_owner",
    "SET ROLE flowrex_vault",
    "SET ROLE pg_signal_backend",
    "SET SESSION AUTHORIZATION postgres",
    "ALTER ROLE flowrex_app CREATEDB",
    "GRANT flowrex_owner TO CURRENT_USER",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT lo_import('/etc/hostname')",
]

REFUSED_TO_MIGRATE = [
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "CREATE EXTENSION file_fdw",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('postgresql.conf')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SET ROLE flowrex_vault",
    "SET ROLE pg_signal_backend",
    "GRANT pg_read_all_data TO flowrex_app",
    "ALTER ROLE flowrex_app SUPERUSER",
    "ALTER SYSTEM SET log_statement = 'all'",
]


@pytest.mark.parametrize("statement", ALLOWED_TO_BACKEND)
def test_the_application_works_with_rows(backend: Server, statement: str) -> None:
    backend.execute(statement)


@pytest.mark.parametrize("statement", REFUSED_TO_BACKEND)
def test_the_application_is_refused_everything_else(backend: Server, statement: str) -> None:
    with pytest.raises(ServerRefused) as caught:
        backend.execute(statement, transactional=False)
    assert type(caught.value) is PermissionRefused, caught.value.message


@pytest.mark.parametrize("statement", REFUSED_TO_MIGRATE)
def test_the_migrations_are_refused_what_is_not_the_schema(migrate: Server, statement: str) -> None:
    with pytest.raises(ServerRefused) as caught:
        migrate.execute(statement, transactional=False)
    assert type(caught.value) is PermissionRefused, caught.value.message


ALLOWED_TO_MONITOR = [
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_settings",
    "SELECT * FROM pg_stat_replication",
    "SELECT pg_database_size('flowrex')",
    "SELECT * FROM pg_ls_waldir()",
]

REFUSED_TO_MONITOR = [
    "CREATE TABLE mine (x int)",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_backup_start('mine')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SET ROLE flowrex_app",
    "SET ROLE flowrex_owner",
    "SET ROLE pg_signal_backend",
    "ALTER SYSTEM SET log_statement = 'all'",
]


@pytest.fixture(scope="module")
def monitor(database_login: Callable[[str], Login]) -> Iterator[Server]:
    """The connection of the job postgres-exporter, to the database that no restore replaces."""
    login = database_login("monitor")
    with Server(login.dsn, database="postgres") as server:
        yield server


@pytest.mark.parametrize("statement", ALLOWED_TO_MONITOR)
def test_who_monitors_sees_statistics(monitor: Server, statement: str) -> None:
    monitor.execute(statement)


@pytest.mark.parametrize("statement", REFUSED_TO_MONITOR)
def test_who_monitors_is_refused_everything_else(monitor: Server, statement: str) -> None:
    with pytest.raises(ServerRefused) as caught:
        monitor.execute(statement, transactional=False)
    assert type(caught.value) is PermissionRefused, caught.value.message


@pytest.mark.parametrize("database", ["flowrex", "template1"])
def test_who_monitors_reaches_no_database_with_rows(
    database_login: Callable[[str], Login], database: str
) -> None:
    with pytest.raises(PermissionRefused, match="CONNECT"):
        Server(database_login("monitor").dsn, database=database)


@pytest.mark.parametrize("role", ["backend", "migrate", "worker", "retention"])
@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_no_login_reaches_another_database(
    database_login: Callable[[str], Login], role: str, database: str
) -> None:
    with pytest.raises(PermissionRefused, match="CONNECT"):
        Server(database_login(role).dsn, database=database)


def test_what_migrations_make_belongs_to_the_owner(migrate: Server) -> None:
    assert migrate.row("SELECT current_user") == ("flowrex_owner",)
    assert migrate.row("SELECT tableowner FROM pg_tables WHERE tablename = $1", TABLE) == (
        "flowrex_owner",
    )


def test_a_login_ends_with_its_lease_and_so_do_its_connections(
    target: Target, database_login: Callable[[str], Login]
) -> None:
    login = database_login("backend")
    with Server(login.dsn) as connection:
        assert connection.row("SELECT 1") == (1,)
        target.vault.write("sys/leases/revoke", {"lease_id": login.lease, "sync": True})
        with pytest.raises(FlowrexError):
            connection.row("SELECT 1")
    with pytest.raises(PermissionRefused):
        Server(login.dsn)


def test_a_login_that_ended_leaves_no_role(
    target: Target, database_login: Callable[[str], Login]
) -> None:
    login = database_login("migrate")
    with Server(login.dsn) as connection:
        connection.execute("CREATE TABLE left_behind (x int)")
    target.vault.write("sys/leases/revoke", {"lease_id": login.lease, "sync": True})
    with Server(target.postgres_admin, database="flowrex") as admin:
        left = admin.row("SELECT count(*) FROM pg_roles WHERE rolname = $1", login.username)
        admin.execute("DROP TABLE left_behind")
    assert left == (0,)


def test_vaults_own_password_is_known_to_vault_only(target: Target) -> None:
    where = target.environment.postgres
    for password in ("", "flowrex_vault"):
        with pytest.raises(ServerUnreachable):
            Server(
                Secret(f"postgresql://flowrex_vault:{password}@{where.host}:{where.port}/flowrex")
            )
    found = target.vault.read("database/config/flowrex")
    assert found is not None
    assert "password" not in found["connection_details"]
