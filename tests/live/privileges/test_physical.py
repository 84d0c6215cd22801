"""The role that takes physical backups: by the socket alone, and no rows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from flowrex import pgbackrest
from flowrex.errors import ServerUnreachable
from flowrex.secret import Secret
from generator.bootstrap import Target
from generator.bootstrap.postgres import Server
from generator.dev.postgres_install import programs
from tests.cluster import Cluster

Ask = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def ask(cluster: Cluster) -> Ask:
    """Run SQL as the role, as its system user would."""

    def run(
        sql: str, database: str = pgbackrest.LOGIN_DATABASE
    ) -> subprocess.CompletedProcess[str]:
        where = ["-h", str(cluster.state / "data/postgres"), "-p", str(cluster.base + 32)]
        return subprocess.run(
            [programs() / "psql", "-XqAt", *where, "-U", pgbackrest.ROLE, "-d", database],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
            env={},
        )

    return run


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM pg_ls_archive_statusdir()",
        "SELECT current_setting('data_directory')",
        "SELECT pg_create_restore_point('of-a-test')",
        "SELECT pg_switch_wal()",
        "SELECT archived_count FROM pg_stat_archiver",
        "SELECT system_identifier FROM pg_control_system()",
    ],
)
def test_it_may_what_a_backup_needs(ask: Ask, sql: str) -> None:
    done = ask(sql)
    assert done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT pg_ls_dir('.')",
        "COPY (SELECT 1) TO '/tmp/copied'",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "CREATE TABLE public.mine (x int)",
        "CREATE ROLE mine",
        "ALTER SYSTEM SET archive_command = 'true'",
        "SELECT pg_reload_conf()",
        "SELECT pg_promote()",
        "SELECT pg_stat_reset_shared('archiver')",
        "SET ROLE flowrex_owner",
        "SET ROLE flowrex_app",
        "SET ROLE flowrex_vault",
    ],
)
def test_it_may_nothing_else(ask: Ask, sql: str) -> None:
    done = ask(sql)
    assert "permission denied" in done.stderr or "must be" in done.stderr, done.stdout


def test_it_does_not_even_get_into_the_platforms_database(ask: Ask) -> None:
    done = ask("SELECT 1", "flowrex")
    assert "permission denied for database" in done.stderr, done.stdout


def test_nobody_comes_in_as_it_by_the_network(target: Target) -> None:
    where = target.environment.postgres
    for password in ("", pgbackrest.ROLE):
        login = f"{pgbackrest.ROLE}:{password}"
        with pytest.raises(ServerUnreachable):
            Server(Secret(f"postgresql://{login}@{where.host}:{where.port}/flowrex"))


def test_the_configuration_with_the_passphrase_is_for_postgresqls_user_alone(
    cluster: Cluster,
) -> None:
    path = cluster.state / "data/postgres/pgbackrest.conf"
    assert "cipher-pass" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
