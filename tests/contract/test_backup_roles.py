"""What bootstrap grants for backups, on a real server: enough to dump and restore, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest

from agents.backup import fill, restore, take, verify
from agents.backup.take import Source
from flowrex.errors import ServerRefused
from flowrex.secret import Secret
from flowrex.testing.s3 import FakeS3
from generator.bootstrap import postgres as bootstrap
from generator.bootstrap.report import State
from tests import postgres
from tests.faults.backup.conftest import OwnLogins, settings
from tests.unit.agents.backup.making import FakeKeys, catalog


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Postgres]:
    """A server as bootstrap leaves it, with tables made before it and after it."""
    with postgres.running() as running:
        where = quote(running.server.host, safe="")
        dsn = Secret(f"postgresql://{running.access.user}@/postgres?host={where}")
        # Twice: the second time there is nothing left to do.
        list(bootstrap.steps(dsn, "flowrex", check_only=False))
        again = list(bootstrap.steps(dsn, "flowrex", check_only=True))
        assert [step.name for step in again if step.state is not State.PRESENT] == []
        running.ask(
            "SET ROLE flowrex_owner",
            "CREATE TABLE later (id serial PRIMARY KEY)",
            "INSERT INTO later DEFAULT VALUES",
            "CREATE SCHEMA reports",
            "CREATE TABLE reports.later AS SELECT 1 AS i",
        )
        running.ask(
            "CREATE ROLE reading LOGIN IN ROLE flowrex_backup",
            "CREATE ROLE restoring LOGIN IN ROLE flowrex_restore",
            "ALTER ROLE restoring SET role = flowrex_restore",
        )
        yield running


def acting(server: postgres.Postgres, user: str) -> postgres.Postgres:
    return replace(server, access=replace(server.access, user=user))


def test_the_reading_login_dumps_everything_and_the_other_restores_it(
    server: postgres.Postgres,
) -> None:
    books, _ = catalog(FakeS3())
    reading, restoring = acting(server, "reading"), acting(server, "restoring")
    source = Source(
        settings(f"{server.server.host}:{server.server.port}"),
        "dev",
        "node-1",
        books,
        FakeKeys(),
        OwnLogins(reading.access),  # type: ignore[arg-type]
    )
    manifest = take.take(source, "manual")
    assert {"public.later", "reports.later", "migrations.alembic_version"} <= manifest.rows.keys()
    reader = verify.Reader(books, FakeKeys(), reading.access)
    server.ask("DELETE FROM later")
    target = fill.Target(restoring.access, server.server)
    origin = restore.of_backup(reader, manifest.name, target)
    done = restore.restore(origin, target, now=source.now)
    assert server.value("SELECT count(*) FROM later") == "1"
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'later' AND schemaname = 'reports'"
    assert server.value(owner) == "flowrex_owner"
    assert server.value("SELECT count(*) FROM later", database=done.kept_as) == "0"
    # What was restored can be backed up again, by the same login.
    assert take.take(source, "manual", name="manual_20260301_120000").rows == manifest.rows


@pytest.mark.parametrize("user", ["reading", "restoring"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT pg_read_file('postgresql.conf')",
        "CREATE ROLE mine",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "ALTER ROLE flowrex_app SUPERUSER",
        "SET ROLE flowrex_vault",
    ],
)
def test_neither_reads_or_does_what_is_not_the_owners(
    server: postgres.Postgres, user: str, statement: str
) -> None:
    with pytest.raises(ServerRefused, match=r"permission denied|must be|not permitted"):
        acting(server, user).ask(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO later DEFAULT VALUES",
        "DELETE FROM migrations.alembic_version",
        "DROP TABLE later",
        "CREATE TABLE mine (x int)",
        "CREATE DATABASE mine",
        "SELECT nextval('later_id_seq')",
        "SET ROLE flowrex_owner",
    ],
)
def test_the_reading_one_writes_nothing(server: postgres.Postgres, statement: str) -> None:
    with pytest.raises(ServerRefused, match=r"permission denied|must be"):
        acting(server, "reading").ask(statement)
