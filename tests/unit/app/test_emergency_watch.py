from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from app import emergency
from app.emergency import EmergencyWatch
from app.metrics import Metrics
from flowrex import keys
from flowrex.acknowledgement import Acknowledgement, parse_acknowledgement
from flowrex.consul import ConsulClient
from flowrex.emergency import Level
from flowrex.errors import ServerUnreachable
from flowrex.switch import State, Switch
from flowrex.testing.consul import FakeConsul

ACK = keys.acknowledgement("backend", f"alloc-{os.getpid()}")


class Rig:
    """A watch on a Consul in memory, and what it does on a change."""

    def __init__(self) -> None:
        self.consul = FakeConsul()
        self.switch = Switch(grace_s=30)
        self.metrics = Metrics("1", "test")
        self.settled: list[Level] = []
        self.fails = 0
        self.watch = EmergencyWatch(
            self.switch,
            self.metrics,
            watching=lambda: cast(ConsulClient, self.consul),
            telling=lambda: cast(ConsulClient, self.consul),
            on_change=self._settle,
            kind="backend",
            instance="alloc",
            node="node-1",
            release="1.2.3",
            grace_s=30,
        )

    async def _settle(self, state: State) -> None:
        if self.fails:
            self.fails -= 1
            raise ServerUnreachable("the database is away")
        self.settled.append(state.emergency.level)

    def acknowledged(self) -> Acknowledgement | None:
        entry = self.consul.kv_get(ACK)
        return None if entry is None else parse_acknowledgement(ACK, entry.value)


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(emergency, "_TICK_S", 0.01)
    made = Rig()
    await made.watch.start()
    yield made
    await made.watch.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_first_reading_is_there_when_it_has_started(rig: Rig) -> None:
    assert rig.switch.state().level is Level.NORMAL
    await until(rig.acknowledged)


async def test_a_change_raises_the_database_and_is_acknowledged_then(rig: Rig) -> None:
    rig.consul.kv_put(keys.EMERGENCY, "on")
    await until(lambda: (said := rig.acknowledged()) and said.level == "halt")
    entry, said = rig.consul.kv_get(keys.EMERGENCY), rig.acknowledged()
    assert entry is not None and said is not None
    assert (said.index, said.node, said.release) == (entry.modify_index, "node-1", "1.2.3")
    assert rig.settled[-1] is Level.HALT
    value = rig.metrics.registry.get_sample_value("flowrex_emergency_level")
    assert value == int(Level.HALT)


async def test_what_can_not_be_settled_is_tried_again_and_not_acknowledged_before(
    rig: Rig,
) -> None:
    await until(lambda: rig.settled)
    rig.fails = 5
    rig.consul.kv_put(keys.EMERGENCY, "on")
    await until(lambda: rig.settled[-1] is Level.HALT)
    assert rig.fails == 0
    await until(lambda: (said := rig.acknowledged()) and said.level == "halt")


async def test_the_switch_holds_also_while_the_database_is_away(rig: Rig) -> None:
    rig.fails = 10_000
    rig.consul.kv_put(keys.EMERGENCY, "on")
    await until(lambda: rig.switch.state().level is Level.HALT)


async def test_stopping_takes_the_word_back(rig: Rig) -> None:
    await until(rig.acknowledged)
    await rig.watch.stop()
    assert rig.acknowledged() is None


async def test_what_a_killed_process_of_the_same_allocation_left_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig()
    dead = keys.acknowledgement("backend", "alloc-4194305")  # beyond what the kernel gives
    others = [
        keys.acknowledgement("backend", "another-4194305"),
        keys.acknowledgement("worker", "alloc-4194305"),
        keys.acknowledgement("backend", f"alloc-{os.getppid()}"),
    ]
    for key in (dead, *others):
        rig.consul.kv_put(key, "left behind")
    await rig.watch.start()
    await until(lambda: rig.consul.kv_get(dead) is None)
    await rig.watch.stop()
    assert all(rig.consul.kv_get(key) for key in others)


async def test_without_consul_it_starts_and_nothing_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(emergency, "_FIRST_READING_S", 0.01)
    rig = Rig()
    rig.consul.down = True
    await rig.watch.start()
    assert rig.switch.state().unknown
    rig.consul.down = False
    await until(rig.acknowledged)
    await rig.watch.stop()
