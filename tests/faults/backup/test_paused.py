"""A process that is paused for longer than its session lives comes back, and does nothing more."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from agents import lock
from agents.backup import work
from agents.backup.hands import Hands
from agents.backup.records import Record
from agents.backup.work import Backups
from flowrex import keys
from flowrex.testing.consul import FakeConsul
from tests.faults.backup.conftest import OwnLogins, World
from tests.unit.agents.backup.making import write

pytestmark = pytest.mark.ci

KEY = keys.backup_lock("flowrex")


class Consul(FakeConsul):
    """One that takes sessions of any length."""

    def session_create(self, name: str, ttl_s: int, **more: Any) -> str:
        return super().session_create(name, max(10, int(ttl_s)), **more)


class Paused:
    """A node that is paused at a word or a tick, while its session ends and node-2 takes over."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.consul = Consul()
        self.held: Any = None
        self.other = ""
        source = world.source
        self.backups = Backups(
            source.settings,
            "dev",
            "node-1",
            lambda: self.consul,  # type: ignore[arg-type,return-value]
            world.straight,
            world.keys,
            OwnLogins(world.postgres.access),  # type: ignore[arg-type]
            world.scratch,
            told=False,
        )
        monkeypatch.setattr(work, "lock", self)

    def hold(self, *args: Any) -> Any:
        """Hold the lock with a session whose thread looks at it a hundred times a second."""
        return partial(lock.hold, ttl_s=0.03)(*args)  # type: ignore[arg-type]

    def pause(self) -> None:
        """Sleep through the session's end."""
        entry = self.consul.kv_get(KEY)
        if self.other or entry is None or entry.session is None:
            return
        self.consul.expire(entry.session)
        self.other = self.consul.session_create("node-2", 30)
        assert self.consul.kv_put(KEY, "{}", acquire=self.other)
        time.sleep(0.3)

    def assert_the_other_has_it(self) -> None:
        entry = self.consul.kv_get(KEY)
        assert entry is not None
        assert entry.session == self.other != ""


@pytest.fixture
def paused(world: World, monkeypatch: pytest.MonkeyPatch) -> Paused:
    return Paused(world, monkeypatch)


def test_its_backup_never_becomes_one(world: World, paused: Paused) -> None:
    def say(message: str) -> None:
        if message.startswith("dumping"):
            paused.pause()

    with pytest.raises(lock.LockLost):
        paused.backups.take("manual", Hands(lambda: None, say))
    paused.assert_the_other_has_it()
    assert world.straight.list().backups == ()


def test_its_pruning_deletes_nothing_more(world: World, paused: Paused) -> None:
    now = world.source.now()
    for days in (0, 30, 60, 90):
        at = now - timedelta(days=days)
        name = write(world.straight, world.straight.s3(), at, bucket=world.straight.bucket)
        world.straight.note(name, Record("verified", now))
    retention = replace(
        paused.backups.settings.retention, daily_days=1, weekly_weeks=0, monthly_months=0
    )
    node = replace(paused.backups, settings=replace(paused.backups.settings, retention=retention))
    with pytest.raises(lock.LockLost):
        node.prune(Hands(lambda: None, lambda message: paused.pause()))
    paused.assert_the_other_has_it()
    assert len(world.straight.list().backups) == 3, "the first had gone before the pause"
