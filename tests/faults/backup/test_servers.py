"""PostgreSQL and Vault that go away, and disks that are full."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents.backup import psql, take
from agents.backup.psql import NoSpace, Session
from flowrex.errors import ServerRefused, ServerUnreachable
from tests import postgres
from tests.faults.backup.conftest import World
from tests.small_disk import small_disk

pytestmark = pytest.mark.ci


def test_a_dump_whose_server_goes_away_in_the_middle_leaves_nothing(world: World) -> None:
    # Far longer than the pipe, so that it is still under way.
    world.postgres.ask("CREATE TABLE wide AS SELECT * FROM orders LIMIT 0")
    world.postgres.ask(
        "INSERT INTO wide SELECT i, repeat(md5(i::text), 40) FROM generate_series(1, 60000) AS i"
    )
    struck: list[str] = []

    def strike() -> None:
        if not struck and (killed := _end_copies(world)) != "0":
            struck.append(killed)

    try:
        with pytest.raises(ServerUnreachable, match="pg_dump ended with 1"):
            world.take(name="manual_20260301_120000", tick=strike)
        assert struck == ["1"]
        assert not list(world.straight.s3().list(world.straight.bucket))
        assert world.drill(world.take(name="manual_20260301_120001").name).good
    finally:
        world.postgres.ask("DROP TABLE wide")


def test_a_postgresql_that_restarts_in_the_middle_of_a_dump_leaves_nothing(world: World) -> None:
    with postgres.running() as own:
        # More than a pipe and a part hold, so that the dump is still under way.
        own.fill(40_000, width=1000)
        here = replace(world, postgres=own, scratch=own.folder / "drills")
        copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY public.orders%'"
        restarted: list[str] = []

        def restart() -> None:
            if not restarted and (under_way := own.value(copying, database="postgres")) != "0":
                restarted.append(under_way)
                own.restart()

        with pytest.raises(ServerUnreachable, match="pg_dump ended with 1"):
            here.take(name="manual_20260301_120000", tick=restart)
        assert restarted == ["1"]
        assert not list(here.straight.s3().list(here.straight.bucket))
        assert here.drill(here.take(name="manual_20260301_120001").name).good


def _end_copies(world: World) -> str:
    return world.postgres.value(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE query LIKE 'COPY%wide%' AND pid <> pg_backend_pid()",
        database="postgres",
    )


def test_a_server_that_is_not_there_is_named(world: World) -> None:
    settings = world.source.settings
    gone = replace(settings, postgres=replace(settings.postgres, servers=("127.0.0.1:1",)))
    source = replace(world.source, settings=gone)
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:1"):
        take.take(source, "manual")


@pytest.mark.parametrize(
    "tables", [None, ("migrations.alembic_version",)], ids=["counting", "dump"]
)
def test_a_table_that_a_migration_holds_ends_the_dump_in_time(
    world: World, tables: tuple[str, ...] | None
) -> None:
    with world.postgres.session() as migration:
        migration.ask("BEGIN")
        migration.ask("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        settings = replace(world.source.settings, tables=tables)
        with pytest.raises(ServerUnreachable, match="timeout"):
            take.take(replace(world.source, settings=settings), "manual")
    assert world.straight.list().backups == ()


class TestVault:
    def test_sealed_before_a_backup_there_is_none(self, world: World) -> None:
        world.keys.sealed = True
        with pytest.raises(ServerUnreachable, match="sealed"):
            world.take()
        assert world.straight.list().backups == ()

    def test_sealed_after_a_backup_it_is_unverified_and_not_called_broken(
        self, world: World
    ) -> None:
        manifest = world.take()
        world.keys.sealed = True
        with pytest.raises(ServerUnreachable, match="sealed"):
            world.verify(manifest.name)
        backup = world.straight.list().find(manifest.name)
        assert (backup.good, backup.records) == (False, ())
        world.keys.sealed = False
        assert world.verify(manifest.name).good


class TestAFullDisk:
    def test_is_no_fault_of_the_backup(self, world: World) -> None:
        # What a scratch server on a full disk says.
        said = (
            "pg_restore: error: could not execute query: ERROR:  could not extend file "
            '"base/16385/16390": No space left on device'
        )
        assert isinstance(psql.failure("pg_restore", 1, said, "flowrex"), NoSpace)

    def test_of_a_drill_is_said_and_the_backup_is_not_called_broken(self, world: World) -> None:
        with postgres.running() as own:
            own.fill(40_000, width=1000)
            here = replace(world, postgres=own)
            manifest = here.take()
            # Room for an empty server of PostgreSQL's, and no more.
            with (
                small_disk(own.folder / "disk", mib=70) as disk,
                pytest.raises(ServerRefused, match="No space left on device"),
            ):
                replace(here, scratch=disk / "drills").drill(manifest.name)
            assert here.straight.list().find(manifest.name).records == ()
            assert replace(here, scratch=own.folder / "drills").drill(manifest.name).good

    def test_a_drill_without_a_place_notes_nothing(self, world: World, tmp_path: Path) -> None:
        manifest = world.take()
        blocked = tmp_path / "file"
        blocked.write_text("no folder")
        broken = replace(world, scratch=blocked / "below")
        with pytest.raises((OSError, ServerUnreachable)):
            broken.drill(manifest.name)
        assert world.straight.list().find(manifest.name).records == ()


def test_a_session_that_is_asked_nonsense_says_so(world: World) -> None:
    with pytest.raises(ServerUnreachable, match="syntax error"), world.postgres.session() as it:
        assert isinstance(it, Session)
        it.ask("SELEKT 1")
