"""Snapshots are taken when they are due, each for itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agents import lock
from agents.alarms import read
from agents.backup.catalog import Catalog
from agents.backup.retention import Policy
from agents.context import Context
from agents.settings.load import defaults
from agents.snapshots.task import SnapshotTask
from agents.snapshots.work import Snapshots
from flowrex import keys
from flowrex.settings.declare import Duration
from flowrex.testing.clock import FakeClock
from flowrex.testing.consul import FakeConsul
from flowrex.testing.s3 import FakeS3
from tests.unit.agents.backup.making import FakeKeys
from tests.unit.agents.snapshots.test_work import Server


class Node:
    """A node with a Consul and a Nomad."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.consul = FakeConsul()
        self.s3 = FakeS3()
        self.s3.now = self.clock.now()
        self.s3.ensure_bucket("backups")
        self.servers = {kind: Server(kind=kind) for kind in ("consul", "nomad")}
        settings = defaults()
        chosen = replace(settings.snapshots, enabled=True, jitter=Duration("0s"))
        self.context = context = Context(
            settings=replace(settings, state_dir=str(folder), snapshots=chosen),
            node="node-1",
            consul=lambda: None,  # type: ignore[arg-type,return-value]
            vault=lambda: None,  # type: ignore[arg-type,return-value]
            s3=lambda: self.s3,  # type: ignore[arg-type,return-value]
            clock=self.clock,
        )
        self.work = Snapshots(
            environment="dev",
            node="node-1",
            consul=lambda: self.consul,  # type: ignore[arg-type,return-value]
            sources=dict(self.servers),
            catalogs={
                kind: Catalog(lambda: self.s3, "backups", "dev", kind)  # type: ignore[arg-type,return-value]
                for kind in self.servers
            },
            keys={kind: FakeKeys() for kind in self.servers},
            policy=Policy(),
            now=self.clock.now,
        )
        self.task = SnapshotTask(context, self.work)

    def wait(self, **time: float) -> None:
        self.clock.time += timedelta(**time)
        self.s3.now = self.clock.now()

    def counts(self) -> dict[str, int]:
        return {kind: len(self.work.list(kind).backups) for kind in self.servers}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_the_first_is_due_at_once_and_the_next_an_hour_later(node: Node) -> None:
    node.task.round()
    node.task.round()
    assert node.counts() == {"consul": 1, "nomad": 1}
    node.wait(hours=1)
    node.task.round()
    assert node.counts() == {"consul": 2, "nomad": 2}
    assert node.task.status()["problem"] == ""


def test_one_that_fails_holds_up_no_other_and_is_tried_again_later(node: Node) -> None:
    node.servers["consul"].away = True
    node.task.round()
    assert node.counts() == {"consul": 0, "nomad": 1}
    assert node.task.status()["problem"] == "consul: it went away"
    node.servers["consul"].away = False
    node.task.round()
    assert node.counts()["consul"] == 0, "not at once"
    node.wait(minutes=3)
    node.task.round()
    assert node.counts()["consul"] == 1
    assert node.task.status()["problem"] == ""


def test_what_was_missed_while_the_agent_was_down_is_made_up_for_once(node: Node) -> None:
    node.task.round()
    node.wait(days=2)
    node.task.round()
    assert node.counts() == {"consul": 2, "nomad": 2}


def test_one_that_came_broken_is_taken_again(node: Node) -> None:
    node.servers["nomad"].content = b"broken"
    node.task.round()
    node.servers["nomad"].content = b"whole, to the end"
    node.wait(minutes=3)
    node.task.round()
    assert [one.good for one in node.work.list("nomad").backups] == [False, True]


def test_how_old_the_newest_good_one_is_is_a_metric(node: Node) -> None:
    node.servers["nomad"].content = b"broken"
    node.task.round()
    found = {
        (sample.name, sample.labels["of"]): sample.value
        for family in node.task.metrics()
        for sample in family.samples
    }
    assert found["flowrex_snapshot_last_success_timestamp_seconds", "consul"] > 0
    assert ("flowrex_snapshot_last_success_timestamp_seconds", "nomad") not in found
    assert found["flowrex_snapshot_failures_total", "nomad"] == 1


def test_while_another_node_takes_one_it_waits_and_that_is_no_failure(node: Node) -> None:
    key = keys.snapshot_lock("dev", "nomad")
    with lock.hold(lambda: node.consul, key, "it", "node-2", "snapshot"):  # type: ignore[arg-type,return-value]
        node.task.round()
    assert node.counts() == {"consul": 1, "nomad": 0}
    assert node.task.status()["problem"] == ""
    node.wait(minutes=3)
    node.task.round()
    assert node.counts() == {"consul": 1, "nomad": 1}


def test_one_that_fails_is_an_alarm_until_one_succeeds(node: Node) -> None:
    def alarms() -> list[str]:
        return [one.alarm.name for one in read(node.folder / "alarms" / "snapshots.json")]

    node.servers["consul"].away = True
    node.task.round()
    assert alarms() == ["consul snapshot failed"]
    node.servers["consul"].away = False
    node.wait(minutes=3)
    node.task.round()
    assert alarms() == []


def test_a_clock_that_jumps_costs_no_snapshot_neither_an_old_one_nor_the_next(node: Node) -> None:
    def alarms() -> list[str]:
        return [one.alarm.name for one in read(node.folder / "alarms" / "snapshots.json")]

    for _ in range(40):
        node.task.round()
        node.wait(days=1)
    before = node.counts()
    node.clock.time += timedelta(days=400)  # the node's clock, not the store's
    node.task.round()
    assert node.counts() == {kind: count + 1 for kind, count in before.items()}
    assert alarms() == ["consul snapshots not pruned", "nomad snapshots not pruned"]
    assert "a clock is or was wrong" in node.task.status()["problem"]
    node.clock.time -= timedelta(days=400)
    node.wait(days=1)
    node.task.round()
    assert node.counts() == {kind: count + 2 for kind, count in before.items()}
    for kind in node.servers:
        jumped = node.work.list(kind).backups[-1].name
        for entry in list(node.s3.list("backups", node.work.catalogs[kind].folder(jumped))):
            node.s3.delete("backups", entry.key)
    node.wait(days=1)
    node.task.round()
    assert (node.task.status()["problem"], alarms()) == ("", [])
