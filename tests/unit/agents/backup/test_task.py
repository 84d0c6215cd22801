"""The task `backup`: what is due is done once, what was missed is made up for."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.alarms import FOLDER, read
from agents.backup.assemble import backups_of
from agents.backup.catalog import Listing
from agents.backup.hands import Hands
from agents.backup.prune import Pruned
from agents.backup.records import Record
from agents.backup.retention import Decision
from agents.backup.task import BackupTask
from agents.backup.work import Backups
from agents.context import Context
from flowrex import keys
from flowrex.backup_state import parse
from flowrex.errors import LockHeld, ServerUnreachable
from flowrex.testing.clock import settle
from flowrex.testing.consul import FakeConsul
from tests.unit.agents.backup.making import FakeKeys, catalog, write

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
YAML = """
backup:
  enabled: true
  schedule: {jitter: 0s, backup: "15 2 * * *", drill: "0 5 * * *", prune: "0 6 * * *"}
"""


class Node:
    """A node whose backups take no time and no database."""

    def __init__(self, context: Context) -> None:
        books, self.s3 = catalog()
        self.clock: Any = context.clock
        self.context = context
        self.did: list[str] = []
        self.fails: Exception | None = None
        self.doubt = ""
        made = backups_of(context)
        self.backups = dataclasses.replace(
            made, catalog=dataclasses.replace(books, retention=made.catalog.retention),
            keys=FakeKeys(),
        )  # fmt: skip
        node = self

        class Quick(Backups):
            def take(
                self, reason: str, hands: Hands, *, name: str = "",
                unless: Callable[[], bool] = lambda: False,
            ) -> None:  # fmt: skip
                if node.fails:
                    raise node.fails
                if unless():
                    return
                hands.tick()
                name = write(self.catalog, node.s3, self.now(), reason=reason)
                self.catalog.note(name, Record("verified", self.now()))
                node.did.append("backup")

            def drill(self, name: str, hands: Hands) -> None:  # type: ignore[override]
                node.did.append(f"drill {name}")

            def prune(self, hands: Hands, *, dry_run: bool = False) -> Pruned:
                node.did.append("prune")
                doubted = [Decision("one", True, node.doubt, doubted=True)] if node.doubt else []
                return Pruned(tuple(doubted))

        self.backups = Quick(**{
            field.name: getattr(self.backups, field.name)
            for field in dataclasses.fields(Backups)
        })  # fmt: skip
        self.task = BackupTask(context, self.backups)

    @asynccontextmanager
    async def running(self) -> Any:
        beats: list[int] = []
        running = asyncio.create_task(self.task.run(lambda: beats.append(1)))  # type: ignore[arg-type]
        await self.rest()
        yield beats
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    async def rest(self) -> None:
        """Let the round that is under way come to its end."""
        for _ in range(200):
            await settle()
            await asyncio.sleep(0.001)
            if self.clock._sleepers:
                return
        raise AssertionError("the task does not come to rest")

    async def wait(self, **time: float) -> None:
        await self.clock.advance(timedelta(**time).total_seconds())
        await self.rest()

    async def until_all_is_well(self) -> None:
        """Go round, for some hours at most: what failed is tried again within one."""
        for _ in range(24):
            await self.wait(minutes=10)
            if not self.task.status()["problem"]:
                return

    def listed(self) -> Listing:
        return self.backups.list()


@pytest.fixture
def node(context: Context, configured: Callable[[str], Any]) -> Node:
    return Node(dataclasses.replace(context, settings=configured(YAML)))


async def test_what_never_was_backed_up_is_backed_up_at_once(
    node: Node, consul: FakeConsul
) -> None:
    async with node.running() as beats:
        assert node.did == ["backup"]
        assert beats
        await node.wait(minutes=1)
        assert node.did == ["backup"]
        entry = consul.kv_get(keys.backups("flowrex"))
        assert entry is not None
        state = parse(entry.key, entry.value)
        assert state.good == state.newest == node.listed().backups[0].name


async def test_each_day_has_its_backup_its_drill_and_its_pruning(node: Node) -> None:
    async with node.running():
        for _ in range(48):
            await node.wait(minutes=30)
        newest = node.listed().backups[-1].name
    assert node.did == ["backup", "backup", f"drill {newest}", "prune"]


async def test_what_was_missed_while_the_agent_was_down_is_done_once(node: Node) -> None:
    async with node.running():
        pass
    node.clock.time += timedelta(days=5)
    async with node.running():
        await node.wait(minutes=2)
    assert node.did.count("backup") == 2
    assert node.did.count("prune") == 1


async def test_another_nodes_backup_counts(node: Node) -> None:
    at = node.clock.now() - timedelta(hours=1)
    name = write(node.backups.catalog, node.s3, at)
    node.backups.catalog.note(name, Record("verified", at))
    async with node.running():
        assert node.did == []


@pytest.mark.parametrize("records", [[], [Record("verified", NOON, good=False)]])
async def test_one_that_nobody_found_right_does_not(node: Node, records: list[Record]) -> None:
    name = write(node.backups.catalog, node.s3, node.clock.now() - timedelta(hours=1))
    for record in records:
        node.backups.catalog.note(name, record)
    async with node.running():
        assert node.did == ["backup"]


async def test_what_fails_is_an_alarm_until_it_is_done_here_or_elsewhere(
    node: Node,
) -> None:
    def alarms() -> list[str]:
        return [one.alarm.name for one in read(node.context.state(FOLDER) / "backup.json")]

    node.fails = ServerUnreachable("PostgreSQL is gone")
    async with node.running():
        assert alarms() == ["backup failed"]
    name = write(node.backups.catalog, node.s3, node.clock.now() - timedelta(minutes=1))
    node.backups.catalog.note(name, Record("verified", node.clock.now()))
    async with node.running():
        assert alarms() == []


async def test_a_failure_is_told_and_tried_again_later_and_later(
    node: Node, consul: FakeConsul
) -> None:
    node.fails = ServerUnreachable("PostgreSQL is gone")
    async with node.running():
        assert "PostgreSQL is gone" in node.task.status()["problem"]
        entry = consul.kv_get(keys.backups("flowrex"))
        assert entry is not None
        assert parse(entry.key, entry.value).problem == "PostgreSQL is gone"
        node.fails = None
        await node.wait(seconds=60)
        assert node.did == []
        await node.wait(seconds=90)
        assert node.did == ["backup"]
        assert node.task.status()["problem"] == ""


async def test_a_lock_that_another_holds_is_no_failure(node: Node) -> None:
    node.fails = LockHeld("node-2 is at it")
    async with node.running():
        assert node.task.status()["problem"] == ""


async def test_a_store_that_is_away_is_told_and_nothing_is_lost(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise ServerUnreachable("the S3 store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(node.s3, "list", gone)
        async with node.running():
            assert "does not answer" in node.task.status()["problem"]
            patch.undo()
            await node.wait(seconds=30)
            assert node.did == ["backup"]
            assert node.task.status()["problem"] == ""


async def test_metrics_have_the_moment_of_the_last_good_backup(node: Node) -> None:
    async with node.running():
        found = {
            sample.name: sample.value for family in node.task.metrics() for sample in family.samples
        }
        taken = node.listed().backups[-1].at.timestamp()
    assert found["flowrex_backup_last_success_timestamp_seconds"] == taken
    assert found["flowrex_backup_size_bytes"] > 0
    assert found["flowrex_backup_failures_total"] == 0


async def test_a_time_that_is_not_believed_is_said_and_pruning_is_tried_again(node: Node) -> None:
    node.doubt = "a clock is or was wrong; nothing is deleted"
    async with node.running():
        for _ in range(48):
            await node.wait(minutes=30)
        assert "prune" in node.did
        assert node.task.status()["problem"] == f"prune: {node.doubt}"
        told = read(node.context.state(FOLDER) / "backup.json")
        assert [one.alarm.name for one in told] == ["prune failed"]
        node.doubt = ""
        await node.until_all_is_well()
        assert node.task.status()["problem"] == ""
        assert read(node.context.state(FOLDER) / "backup.json") == []


async def test_a_backup_of_the_future_does_not_hold_up_the_next(node: Node) -> None:
    jumped = node.clock.now() + timedelta(days=400)
    name = write(node.backups.catalog, node.s3, jumped)
    node.backups.catalog.note(name, Record("verified", jumped))
    async with node.running():
        assert node.did == ["backup"]
        await node.wait(minutes=1)
        assert node.did == ["backup"]


async def test_what_a_clock_that_was_wrong_put_off_is_done_when_it_is_right(node: Node) -> None:
    node.clock.time += timedelta(days=400)
    node.fails = ServerUnreachable("PostgreSQL is gone")
    async with node.running():
        pass
    node.task._save()
    node.clock.time -= timedelta(days=400)
    node.fails = None
    async with node.running():
        assert node.did == ["backup", "drill " + node.listed().backups[-1].name, "prune"]
        await node.wait(minutes=1)
        assert node.did.count("prune") == 1


async def test_a_drill_without_a_good_backup_is_not_done_and_said(node: Node) -> None:
    node.fails = ServerUnreachable("PostgreSQL is gone")
    async with node.running():
        for _ in range(48):
            await node.wait(minutes=30)
        assert "drill: there is no good backup to drill" in node.task.status()["problem"]
        alarms = [one.alarm.name for one in read(node.context.state(FOLDER) / "backup.json")]
        assert "drill failed" in alarms
        failures = {
            sample.labels["job"]: sample.value
            for family in node.task.metrics()
            for sample in family.samples
            if sample.name.endswith("failures_total")
        }
        assert failures["drill"] > 0
        assert "prune" in node.did, "the others go on"
        node.fails = None
        await node.until_all_is_well()
        assert [one for one in node.did if one.startswith("drill")]
        assert node.task.status()["problem"] == ""
