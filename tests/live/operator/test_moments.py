"""Physical backups, snapshots and a restore to a moment through flowrexctl, in earnest."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.secret import Secret
from generator.bootstrap.postgres import Server
from tests.archived import Database
from tests.cluster import Cluster, eventually

NOW = "SELECT to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USOF')"


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[Database]:
    """The platform's database with a table for the tests, and a physical backup."""
    made = Database(cluster)
    made.ask("CREATE TABLE moments (id int)")
    # Whose everything in the database is: else only an administrator could restore it.
    made.ask("ALTER TABLE moments OWNER TO flowrex_owner")
    # A scheduled backup may come: what a migration makes, it may read.
    made.ask("GRANT SELECT ON moments TO flowrex_backup")
    eventually(
        lambda: listed(cluster)["backups"], within=180, every=2, what="the first full backup"
    )
    yield made
    made.ask("DROP TABLE IF EXISTS moments")


def listed(cluster: Cluster) -> Any:
    return cluster.document("backup", "list", "dev", "--kind", "physical")["result"]


def rows(database: Database) -> list[int]:
    found = database.ask("SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM moments")
    assert isinstance(found, list)
    return found


def restored(cluster: Cluster, to: str) -> Any:
    words = ("restore", "dev", "--to", to, "--database", "flowrex")
    return json.loads(cluster.run(*words, "--json", timeout=600).stdout)["result"]


def test_a_physical_backup_is_taken_listed_verified_and_drilled(
    settled: Cluster, database: Database
) -> None:
    words: tuple[str, ...] = ("backup", "now", "dev", "--kind", "physical", "--type", "full")
    name = settled.document(*words)["result"]["name"]
    assert name in [one["label"] for one in listed(settled)["backups"]]
    words = ("backup", "verify", "dev", "--kind", "physical")
    assert settled.document(*words)["result"]["good"] is True
    drilled = settled.document("backup", "drill", "dev", "--kind", "physical")
    assert drilled["result"]["good"] is True
    assert drilled["result"]["tables"] > 3
    (own,) = [one for one in listed(settled)["backups"] if one["label"] == name]
    assert own["drilled"], "it is noted at the backup itself"


def test_another_node_that_is_at_it_is_named(settled: Cluster, database: Database) -> None:
    consul = ConsulClient(f"http://127.0.0.1:{settled.base + 50}", Secret(settled.token("consul")))
    session = consul.session_create("a-test", 30, behavior="delete")
    try:
        value = '{"node": "n9", "what": "full backup", "since": "now"}'
        assert consul.kv_put(keys.physical_lock("flowrex"), value, acquire=session)
        words = ("backup", "now", "dev", "--kind", "physical")
        assert "full backup on n9" in settled.run(*words, expect=8).stderr
    finally:
        consul.session_destroy(session)


def test_snapshots_are_taken_listed_and_read_again(settled: Cluster) -> None:
    words = ("backup", "now", "dev", "--kind", "snapshots", "--of", "consul")
    (taken,) = settled.document(*words)["result"]["taken"]
    found = settled.document("backup", "list", "dev", "--kind", "snapshots", "--of", "consul")
    assert taken["name"] in [one["name"] for one in found["result"]["snapshots"] if one["good"]]
    words = ("backup", "verify", "dev", "--kind", "snapshots", "--of", "consul")
    assert settled.document(*words)["result"]["good"] is True


def test_a_restore_to_a_time_brings_back_that_moment_and_the_jobs(
    settled: Cluster, database: Database
) -> None:
    database.add(1)
    moment = str(database.ask(NOW))
    time.sleep(0.1)
    database.add(2)
    done = restored(settled, moment)
    assert rows(database) == [1]
    assert done["loss"]["rows_now"]["public.moments"] == 2
    assert done["note"] == ""
    kept = database_as_it_was(settled, done["kept_as"])
    assert kept == [1, 2], "nothing of what was there is gone"
    states = {one["job"]: one["state"] for one in settled.document("status", "dev")["jobs"]}
    assert states["backend"] == "in service"
    assert settled.get("/api/v1/instruments")["instruments"]


def test_a_restore_finds_a_moment_that_was_named(settled: Cluster, database: Database) -> None:
    # After the restore before this one, and without an administrator in between.
    settled.document("backup", "now", "dev", "--kind", "physical")
    before = rows(database)
    database.add(3)
    database.agent("physical", "mark", "before-the-fourth")
    database.add(4)
    done = settled.run("restore", "dev", "--to", "before-the-fourth", expect=2)
    assert "Restored from the physical backup" in done.stderr
    restored(settled, "before-the-fourth")
    assert rows(database) == [*before, 3]


def test_a_moment_that_is_not_in_the_archive_changes_nothing(
    settled: Cluster, database: Database
) -> None:
    before, version = rows(database), settled.nomad("job/backend")["Version"]
    words = ("restore", "dev", "--kind", "physical", "--database", "flowrex")
    settled.run(*words, "--to", "2020-01-01T00:00:00Z", expect=6)
    settled.run(*words, "--to", "2020-01-01T00:00:00", expect=2)
    assert settled.nomad("job/backend")["Version"] == version
    failed = settled.run(*words, "--to", "no-such-mark", expect=6, timeout=600)
    assert "is not in the archive" in failed.stderr
    settled.run("restore", "dev", "--abandon", timeout=300)
    assert rows(database) == before


def database_as_it_was(cluster: Cluster, name: str) -> list[int]:
    password = (cluster.state / "secrets/postgres-superuser").read_text().strip()
    dsn = Secret(f"postgresql://postgres:{password}@127.0.0.1:{cluster.base + 32}/{name}")
    with Server(dsn) as server:
        row = server.row("SELECT array_agg(id ORDER BY id) FROM moments")
    assert row is not None
    return list(row[0])
