"""A clock that jumps deletes nothing, and makes no backup that can't be told from another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agents.backup import restore, take
from agents.backup.fill import Target
from agents.backup.prune import prune
from agents.backup.records import Record
from agents.backup.retention import Policy
from tests import postgres
from tests.faults.backup.conftest import World
from tests.unit.agents.backup.making import write

pytestmark = pytest.mark.ci


@pytest.mark.parametrize("days", [-365, -1, 8, 3650], ids=lambda days: f"{days:+d} days")
def test_nothing_is_deleted_while_the_clock_is_in_doubt(world: World, days: int) -> None:
    names = [world.take(name=f"manual_20260301_12000{number}").name for number in range(2)]
    world.verify(names[1])
    upload = world.straight.s3().multipart(world.straight.bucket, world.straight.folder() + "half")
    none = timedelta(0)
    now = world.source.now() + timedelta(days=days)
    done = prune(world.straight, Policy(daily=none, weekly=none, monthly=none), now)
    assert (done.deleted, done.rests) == ((), ())
    assert all(one.doubted for one in done.decisions)
    assert [one.name for one in world.straight.list().backups] == names
    assert [one.id for one in world.straight.s3().open_uploads(world.straight.bucket)] == [
        upload.id
    ]


def test_one_new_backup_of_a_wrong_clock_costs_no_other(world: World) -> None:
    s3, bucket = world.straight.s3(), world.straight.bucket
    real = world.source.now()
    for days in (400, *range(30)):
        at = real - timedelta(days=days)
        name = write(world.straight, s3, at, bucket=bucket)
        world.straight.note(name, Record("verified", at))
    wrong = real + timedelta(days=400)
    name = write(world.straight, s3, wrong, bucket=bucket)
    world.straight.note(name, Record("verified", wrong))
    upload = s3.multipart(bucket, world.straight.folder() + "half")
    done = prune(world.straight, Policy(), wrong + timedelta(hours=1))
    assert (done.deleted, len(world.straight.list().backups)) == ((), 32)
    assert "by the store's clock nothing is younger" in done.doubt
    assert [one.id for one in s3.open_uploads(bucket)] == [upload.id]


def test_a_backup_made_with_a_wrong_clock_has_the_moment_of_the_database(world: World) -> None:
    # The database's server tells the moment, not the node.
    real = world.source.now()
    wrong = replace(world.source, now=lambda: real - timedelta(days=4000))
    manifest = take.take(wrong, "manual")
    assert abs(manifest.snapshot_at - real) < timedelta(minutes=10)
    assert world.verify(manifest.name).good


def test_two_restores_of_one_second_both_keep_what_they_replace(world: World) -> None:
    with postgres.running() as own:
        own.fill(10)
        here = replace(world, postgres=own)
        backup, moment = here.take().name, here.source.now()
        target = Target(own.access, own.server)
        origin = restore.of_backup(here.reader(), backup, target)
        own.fill(7)
        first = restore.restore(origin, target, now=lambda: moment)
        second = restore.restore(origin, target, now=lambda: moment)
        rows = "SELECT count(*) FROM orders"
        assert own.value(rows, database=first.kept_as) == "17"
        assert own.value(rows, database=second.kept_as) == "10"
        assert own.value(rows) == "10"
