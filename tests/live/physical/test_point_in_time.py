"""Recovery to a time, a position and a name finds exactly the rows of that moment."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flowrex.secret import Secret
from generator.bootstrap.postgres import Server
from tests.archived import Database, started
from tests.cluster import eventually
from tests.contract.own import free_ports

# `archive_timeout` is 30 s, and a busy machine may need a second attempt at a push.
BY_ITSELF_S = 600


@pytest.fixture(scope="module")
def moments(database: Database) -> dict[str, str]:
    """A history with a kill of PostgreSQL and of the agent in it, and three moments by name."""
    found: dict[str, str] = {}
    database.add(1)
    found["time"] = database.ask(
        "SELECT to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USOF')"
    )
    time.sleep(0.1)
    database.add(2)
    found["lsn"] = str(database.ask("SELECT pg_current_wal_lsn()::text"))
    database.add(3)
    database.agent("physical", "mark", "before-the-fourth")
    found["name"] = "before-the-fourth"
    database.add(4)
    database.agent("physical", "backup", "diff")
    database.add(5)
    for server in ("agent", "postgres"):
        database.kill(server)
    database.cluster.run("dev", "up")
    database.add(6)
    database.agent("physical", "check")
    found["end"] = "end"
    return found


def rows(database: Database, to: str) -> list[int]:
    """Restore into a scratch cluster and return the rows that are there."""
    with TemporaryDirectory(prefix="flowrex-scratch-", dir="/tmp") as name:
        folder = Path(name) / "data"
        folder.parent.chmod(0o755)
        database.agent("physical", "restore", "--to", to, "--into", str(folder))
        return restored_rows(database, folder)


def restored_rows(database: Database, folder: Path) -> list[int]:
    """Run the scratch cluster, and insist that it is one."""
    password = (database.cluster.state / "secrets/postgres-superuser").read_text().strip()
    (port,) = free_ports(1)
    with started(folder, port):
        dsn = Secret(f"postgresql://postgres:{password}@127.0.0.1:{port}/flowrex")
        with Server(dsn) as server:
            eventually(
                lambda: server.row("SELECT NOT pg_is_in_recovery()") == (True,),
                within=60,
                what="the end of the recovery",
            )
            found = server.row("SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM moments")
            archiving = server.row("SELECT current_setting('archive_mode')")
            server.execute("INSERT INTO moments VALUES (99)")
    assert archiving == ("off",), "a scratch cluster must not archive into the real one's archive"
    assert found is not None
    return list(found[0])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("time", [1]), ("lsn", [1, 2]), ("name", [1, 2, 3]), ("end", [1, 2, 3, 4, 5, 6])],
)
def test_a_restore_finds_exactly_the_rows_of_its_moment(
    database: Database, moments: dict[str, str], kind: str, expected: list[int]
) -> None:
    assert rows(database, moments[kind]) == expected


def test_what_was_written_gets_into_the_archive_by_itself(
    database: Database, moments: dict[str, str]
) -> None:
    # Named by the statement that writes the row: asked for afterwards, it may be the next one,
    # which stays empty and is never switched.
    segment = database.add(7)
    begun = time.monotonic()
    eventually(
        lambda: database.ask("SELECT last_archived_wal FROM pg_stat_archiver") >= segment,
        within=BY_ITSELF_S,
        what=f"the archiving of {segment}",
    )
    took_s = time.monotonic() - begun
    sys.stdout.write(f"\nfrom a commit to the archive, nothing done for it: {took_s:.1f} s\n")
    assert database.document("physical", "list")["newest_wal"] >= segment


def test_a_restore_in_place_is_refused_while_postgresql_runs(database: Database) -> None:
    words = ("physical", "restore", "--to", "end", "--in-place", "--database", "flowrex")
    database.agent(*words, expect=7)


def test_a_restore_in_place_puts_the_cluster_itself_back(
    database: Database, moments: dict[str, str]
) -> None:
    database.agent("physical", "check")
    database.kill("agent")
    database.stop("postgres")
    words = ("physical", "restore", "--to", moments["name"], "--in-place")
    database.agent(*words, "--database", "another", expect=2)
    database.agent(*words, "--database", "flowrex")
    database.cluster.run("dev", "up")
    eventually(lambda: database.ask("SELECT NOT pg_is_in_recovery()"), what="the recovery's end")
    assert database.ask("SELECT array_agg(id ORDER BY id) FROM moments") == [1, 2, 3]
    # It archives on, on a timeline of its own, and nothing is missing between the two.
    database.add(8)
    database.agent("physical", "check")
    assert database.document("physical", "list")["newest_wal"].startswith("00000002")
    eventually(
        lambda: database.status()["archived_segments"] and not database.status()["alarms"],
        within=120,
        every=3,
        what="an archive without an alarm",
    )


def test_a_moment_before_the_first_backup_is_refused(database: Database, tmp_path: Path) -> None:
    words = ("physical", "restore", "--to", "2020-01-01T00:00:00Z", "--into", str(tmp_path / "x"))
    database.agent(*words, expect=6)
