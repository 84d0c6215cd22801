"""kill -9 at every step: the kill point walks through each request that the agent makes of S3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agents.backup.names import backup_name
from agents.backup.prune import prune
from agents.backup.records import Record
from agents.backup.retention import Policy
from flowrex.errors import NotFound
from tests import postgres
from tests.cluster import eventually
from tests.faults.backup.conftest import World
from tests.faults.s3_proxy import Seen
from tests.unit.agents.backup.making import write

# Everything but the last good one is too old.
NOTHING = Policy(daily=timedelta(0), weekly=timedelta(0), monthly=timedelta(0))
ROOT = Path(__file__).parents[3]


def start(world: World, what: str, **more: object) -> subprocess.Popen[bytes]:
    given = {
        "what": what,
        "address": world.proxy.address,
        "bucket": world.books.bucket,
        "server": f"{world.postgres.server.host}:{world.postgres.server.port}",
        "user": world.postgres.access.user,
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.backup.killed", json.dumps(given)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )


def killed_at(world: World, number: int, when: str, what: str, **given: object) -> bool:
    """Kill the process at its n-th request; return whether it came so far."""
    world.proxy.seen.clear()
    process = start(world, what, **given)
    struck: list[Seen] = []

    def strike(seen: Seen) -> None:
        if len(world.proxy.seen) >= number and not struck:
            struck.append(seen)
            process.kill()
            process.wait()
            if when == "before":
                raise ConnectionResetError("what was on its way is lost")

    setattr(world.proxy, when, strike)
    _, err = process.communicate(timeout=120)
    world.proxy.before = world.proxy.after = lambda seen: None
    assert struck or process.returncode == 0, err.decode()
    return bool(struck)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_backup_killed_at_any_step_leaves_none_or_a_whole_one(world: World, when: str) -> None:
    number, whole = 1, 0
    while True:
        name = backup_name("manual", world.source.now() + timedelta(seconds=number))
        if not killed_at(world, number, when, "backup", name=name):
            break
        try:
            world.reader(world.straight).open(name)
            whole += 1
        except NotFound:
            # A name that was begun and not finished can be used again only with what is there gone.
            assert name not in [one.name for one in world.straight.list().backups]
        number += 1
    # Through the upload of both files, the manifest, and the reading back.
    assert number > 10
    listed = world.straight.list().backups
    assert len(listed) == whole + 1
    # What was killed while it was read again is whole, and not known to be good.
    assert world.drill(listed[0].name).good
    assert world.drill(listed[-1].name).good
    # No process of PostgreSQL's goes on after its agent.
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'flowrex-agent'"
    assert world.postgres.value(left) == "1"


def test_a_pruning_killed_at_any_step_leaves_nothing_listed_that_is_not_whole(
    world: World,
) -> None:
    now = world.source.now()
    kept = world.take(name=backup_name("manual", now))
    world.straight.note(kept.name, Record("verified", now))
    later = (now + timedelta(hours=1)).isoformat()
    number = 1
    while True:
        old = now - timedelta(days=1, seconds=number)
        write(world.straight, world.straight.s3(), old, bucket=world.straight.bucket)
        if not killed_at(world, number, "after", "prune", now=later):
            break
        for backup in world.straight.list().backups:
            assert backup.manifest, backup.problem
        # The next run makes good what this one left.
        prune(world.straight, NOTHING, now + timedelta(hours=1))
        assert [one.name for one in world.straight.list().backups] == [kept.name]
        number += 1
    # The list, the manifests, the versions, each deletion.
    assert number > 5
    assert [one.name for one in world.straight.list().backups] == [kept.name]
    assert world.drill(kept.name).good


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_restore_killed_at_any_statement_leaves_the_database_or_the_backup(
    world: World, when: str
) -> None:
    with postgres.running() as own:
        own.fill(100)
        here = replace(world, postgres=own)
        backup = here.take().name
        number, restored, rows = 1, 0, 100
        while True:
            own.fill(7)
            process = start(here, "restore", name=backup, at=number, when=when)
            _, err = process.communicate(timeout=120)
            if process.returncode == 0:
                break
            assert process.returncode == -9, err.decode()
            # What psql had begun ends with it, whether or not it was committed.
            eventually(lambda: sessions(own) == 0, what="the end of the killed one's sessions")
            before, rows = rows + 7, int(own.value("SELECT count(*) FROM orders"))
            assert rows in {before, 100}
            restored += rows == 100
            number += 1
        # Making the database, filling it, comparing, the renamings in one transaction, and after.
        assert number > 15
        assert 1 <= restored < number - 10
        assert own.value("SELECT count(*) FROM orders") == "100"
        left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'flowrex\\_restore\\_%'"
        assert own.value(left) == "0"
        kept = "SELECT count(*) FROM pg_database WHERE datname LIKE 'flowrex\\_before\\_%'"
        assert int(own.value(kept)) == restored + 1, "each database that was replaced is kept"


def sessions(server: postgres.Postgres) -> int:
    """Return how many sessions there are beside the one that asks."""
    return int(
        server.value(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            database="postgres",
        )
    )
