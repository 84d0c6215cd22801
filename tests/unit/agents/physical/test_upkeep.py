"""Backups, checks, verifications and expiry, each when it is due."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents import lock
from agents.physical import alone
from agents.physical.state import State
from flowrex import keys
from flowrex.errors import ConfigurationError, ServerUnreachable
from tests.unit.agents.physical.repository import FULL, backup, document
from tests.unit.agents.physical.rig import BAD, Programs, Rig

# The fake clock begins on Sunday, 1 March 2026, at 12:00; a full backup is due on Sundays, 02:30.
FRESH = document(backup(FULL, datetime(2026, 3, 1, 2, 35, tzinfo=UTC), wal=2))


async def rounds(rig: Rig, count: int = 1) -> list[str]:
    """Let the task go round, and return what was run for it."""
    await rig.watch.look()
    rig.programs.ran.clear()
    for _ in range(count):
        await rig.upkeep.round()
    return [verb for verb in rig.programs.ran if verb not in ("psql", "info")]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    made = Rig(tmp_path, Programs(info=FRESH))
    made.archive(2, 3, 4)
    return made


async def test_without_any_backup_a_full_one_is_due_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert (await rounds(rig))[0] == "backup --type=full"


async def test_a_full_backup_that_is_there_is_not_taken_again(rig: Rig) -> None:
    assert not [verb for verb in await rounds(rig) if verb.startswith("backup")]


async def test_a_missed_one_is_made_up_for_once(rig: Rig) -> None:
    rig.clock.time += timedelta(days=1)
    assert [verb for verb in await rounds(rig) if verb.startswith("backup")] == [
        "backup --type=diff"
    ]


async def test_a_backup_of_the_future_holds_no_other_up_and_is_made_up_for_once(
    rig: Rig,
) -> None:
    later = backup("20280301-120000F", datetime(2028, 3, 1, 12, tzinfo=UTC), wal=4)
    rig.programs.info = document(
        backup(FULL, datetime(2026, 2, 22, 2, 35, tzinfo=UTC), wal=2), later
    )
    assert (await rounds(rig))[0] == "backup --type=full"
    rig.programs.info = document(
        backup(FULL, datetime(2026, 3, 1, 12, 5, tzinfo=UTC), wal=2), later
    )
    rig.watch.look_again()
    rig.clock.time += timedelta(minutes=10)
    assert not [verb for verb in await rounds(rig) if verb.startswith("backup")]


async def test_a_check_of_the_future_is_made_again(rig: Rig) -> None:
    rig.upkeep._state.checked_at = rig.clock.now() + timedelta(days=400)
    assert "check" in await rounds(rig)


async def test_a_repository_that_was_not_seen_is_not_written_to(rig: Rig) -> None:
    rig.programs.fails["info"] = ServerUnreachable("away")
    assert await rounds(rig) == []


async def test_what_failed_is_an_alarm_and_not_tried_again_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.programs.fails["backup"] = ServerUnreachable("away")
    ran = await rounds(rig, count=3)
    assert ran.count("backup --type=full") == 1
    assert "full backup failed" in rig.alarms.names
    rig.programs.fails.clear()
    await rig.clock.advance(61)
    assert "backup --type=full" in await rounds(rig)
    assert "full backup failed" not in rig.alarms.names


async def test_a_program_that_goes_missing_is_an_alarm_and_no_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.programs.fails["backup"] = ConfigurationError("pgbackrest is not installed")
    assert "check" in await rounds(rig)
    assert "full backup failed" in rig.alarms.names
    assert rig.upkeep.status()["problem"] == "full backup failed"


async def test_old_backups_go_only_after_a_good_verification(rig: Rig) -> None:
    ran = await rounds(rig)
    assert ran[-3:] == ["verify", "check", "expire"]
    assert rig.upkeep.status()["not_expired_because"] == ""


async def test_a_damaged_repository_is_an_alarm_and_nothing_goes(rig: Rig) -> None:
    rig.programs.verify = BAD
    assert "expire" not in await rounds(rig)
    assert "repository damaged" in rig.alarms.names
    assert rig.upkeep.status()["verified_at"] is None


async def test_after_a_jump_of_the_clock_nothing_goes(rig: Rig) -> None:
    rig.clock.time += timedelta(days=20)
    assert "expire" not in await rounds(rig)
    assert "clock" in rig.upkeep.status()["not_expired_because"]


async def test_what_was_done_is_known_after_a_restart(rig: Rig) -> None:
    await rounds(rig)
    again = Rig(rig.folder, Programs(info=FRESH), clock=rig.clock, s3=rig.s3)
    assert await rounds(again) == []


async def test_while_another_node_is_at_it_nothing_is_begun_and_that_is_no_alarm(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    key = keys.physical_lock("flowrex")
    with lock.hold(lambda: rig.consul, key, "it", "node-2", "full backup"):  # type: ignore[arg-type,return-value]
        ran = await rounds(rig)
    assert ran == ["check", "verify", "check"], "which disturb nobody"
    assert not [name for name in rig.alarms.names if name.endswith("failed")]
    await rig.clock.advance(121)
    assert "backup --type=full" in await rounds(rig)


async def test_where_consul_is_away_the_lock_can_t_be_had_and_that_is_an_alarm(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    rig.consul.down = True
    assert "backup --type=full" not in await rounds(rig)
    assert "full backup failed" in rig.alarms.names


async def test_what_another_node_did_meanwhile_is_not_done_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.watch.look()
    rig.archive(2, 3, 4)
    rig.programs.info = FRESH
    rig.programs.ran.clear()
    await rig.upkeep.round()
    assert not [verb for verb in rig.programs.ran if verb.startswith("backup")]


async def test_a_lock_that_is_lost_ends_the_backup(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def backup() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    def lost() -> None:
        raise lock.LockLost("somebody removed it")

    with pytest.raises(lock.LockLost):
        await alone.watched(backup(), lost)
    ticks = iter([None, lost])
    with pytest.raises(lock.LockLost):
        await alone.watched(backup(), lambda: (one := next(ticks)) and one())
    assert ended.is_set()


async def test_while_a_restore_may_be_reading_nothing_goes(rig: Rig) -> None:
    key = keys.backup_lock("flowrex")
    with lock.hold(lambda: rig.consul, key, "flowrex", "node-2", "restore"):  # type: ignore[arg-type,return-value]
        assert "expire" not in await rounds(rig)
    assert "restore on node-2" in rig.upkeep.status()["not_expired_because"]
    assert rig.alarms.names == []


async def test_what_an_operator_did_after_a_failure_is_an_alarm_no_more(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.programs.fails["backup"] = ServerUnreachable("away")
    await rounds(rig)
    assert "full backup failed" in rig.alarms.names
    again = Rig(tmp_path, Programs(info=FRESH), clock=rig.clock, s3=rig.s3)
    assert "full backup failed" in again.alarms.names, "also after a restart"
    assert not [verb for verb in await rounds(again) if verb.startswith("backup")]
    assert "full backup failed" not in again.alarms.names


async def test_an_expiry_that_fails_is_an_alarm_until_one_does_not(rig: Rig) -> None:
    rig.programs.fails["expire"] = ServerUnreachable("the store refuses")
    await rounds(rig)
    assert "expiry failed" in rig.alarms.names
    await rounds(rig)
    assert "expiry failed" in rig.alarms.names, "not forgotten by the next round"
    rig.programs.fails.clear()
    rig.clock.time += timedelta(days=1)
    rig.s3.now = rig.clock.now()
    rig.archive(5)
    await rounds(rig)
    assert "expiry failed" not in rig.alarms.names


def test_an_unreadable_record_means_that_nothing_is_verified(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for text in ("", "[]", '{"verified_at": 5}', '{"verified_at": "2026-03-01T12:00:00"}'):
        path.write_text(text)
        assert State.load(path) == State()
