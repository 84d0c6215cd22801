"""The task: lanes that do not hold each other up, a flush at once, a stop that loses nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agents.audit.choose import Readiness
from agents.audit.cut import Bounds
from agents.audit.lane import Lane
from agents.audit.ship import Shipper
from agents.audit.tail import Tail
from agents.audit.task import Audit
from agents.context import Context
from agents.settings import load
from agents.sinks import Segment
from agents.supervised import Beat
from agents.wake import AUDIT, Wake
from flowrex.errors import LockHeld
from flowrex.testing.clock import FakeClock
from tests.unit.agents.audit.rig import MemorySink

LINE = b'{"a":1}\n'


@dataclass
class ToldSink(MemorySink):
    """A sink that tells when it was tried and when it has something."""

    tried: threading.Event = field(default_factory=threading.Event)
    has: threading.Event = field(default_factory=threading.Event)

    def deliver(self, segment: Segment) -> None:
        self.tried.set()
        super().deliver(segment)
        self.has.set()


@dataclass
class Place:
    """A node's audit files, its sinks and its task."""

    folder: Path
    sinks: list[ToldSink]
    bandwidth: int = 0

    def __post_init__(self) -> None:
        (self.folder / "logs").mkdir(exist_ok=True)
        (self.folder / "agent.yaml").write_text("{}\n")
        self.clock = FakeClock()
        settings = replace(load(self.folder / "agent.yaml"), state_dir=str(self.folder / "state"))
        nobody: Callable[[], Any] = lambda: None  # noqa: E731
        self.context = Context(
            settings, "n1", nobody, nobody, nobody, clock=self.clock, wake=Wake(self.clock)
        )
        self.tail = Tail({"trading": [str(self.folder / "logs" / "*.jsonl")]})
        self.lanes = [self.lane(sink) for sink in self.sinks]
        self.task = Audit(self.context, self.tail, self.lanes, poll_s=1)
        self.beat = Beat(self.clock)

    def lane(self, sink: ToldSink) -> Lane:
        folder = self.folder / "state" / sink.name
        clock = self.clock
        shipper = Shipper(
            sink, self.tail, folder, "n1", Bounds(), Readiness(), clock.now, clock.monotonic
        )
        return Lane(shipper, clock, bandwidth=self.bandwidth)

    def write(self, content: bytes = LINE) -> Path:
        path = self.folder / "logs" / "a.jsonl"
        with path.open("ab") as file:
            file.write(content)
        return path

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the task for the length of a block, then cancel it as the supervisor does."""
        task = asyncio.create_task(self.task.run(self.beat))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, [ToldSink("s3"), ToldSink("syslog")])


async def happens(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10), "it did not happen"


async def test_a_flush_ships_at_once_what_would_wait(place: Place) -> None:
    place.write()
    async with place.running():
        assert await place.task.flush_now()
        assert [len(sink.objects) for sink in place.sinks] == [1, 1]


async def test_the_bell_of_an_emergency_ships_at_once(place: Place) -> None:
    place.write()
    async with place.running():
        place.context.wake.ring(AUDIT, "emergency")
        await happens(place.sinks[0].has)
        await happens(place.sinks[1].has)


async def test_a_sink_that_is_away_holds_no_other_up(place: Place) -> None:
    place.sinks[1].refuse = 1_000_000
    place.write()
    async with place.running():
        assert await place.task.flush_now(sink="s3")
        assert not await place.task.flush_now(within_s=0.2)
        await happens(place.sinks[1].tried)
        assert len(place.sinks[0].objects) == 1
        assert place.task.status()["problem"] == "syslog: the sink is away"


async def test_what_is_left_is_shipped_when_the_agent_stops(place: Place) -> None:
    path = place.write()
    async with place.running():
        assert await place.task.flush_now()
        place.write(LINE + b'{"half')
        await place.task._poll()
        path.unlink()
    lines = [line for one in place.sinks[0].objects.values() for line in one.lines()]
    assert lines[:2] == [LINE, LINE]
    assert b"no newline" in lines[2]


async def test_a_second_agent_with_the_same_state_is_refused(place: Place, tmp_path: Path) -> None:
    async with place.running():
        assert await place.task.flush_now()
        second = Place(tmp_path, [ToldSink("s3")])
        with pytest.raises(LockHeld):
            await second.task.run(second.beat)


async def test_bandwidth_is_kept_by_waiting(tmp_path: Path) -> None:
    place = Place(tmp_path, [ToldSink("s3")], bandwidth=1)
    place.write()
    async with place.running():
        place.context.wake.ring(AUDIT)
        await happens(place.sinks[0].has)
        place.sinks[0].has.clear()
        place.write()
        assert not await place.task.flush_now(within_s=0.1)
        assert not place.sinks[0].has.is_set()


async def test_the_status_says_how_far_behind_each_sink_is(place: Place) -> None:
    place.sinks[1].refuse = 1_000_000
    place.write()
    async with place.running():
        assert await place.task.flush_now(sink="s3")
        await place.task._poll()
        told = place.task.status()["sinks"]
        assert told["s3"]["lag"]["bytes"] == 0
        assert told["s3"]["tip"]["number"] == 1
        assert told["syslog"]["lag"]["bytes"] == len(LINE)
        assert list(told["syslog"]["lag"]["files"].values()) == [len(LINE)]


async def test_what_was_taken_away_is_told_after_a_start(place: Place, tmp_path: Path) -> None:
    place.write()
    async with place.running():
        assert await place.task.flush_now()
    place.sinks[0].objects.clear()
    again = Place(tmp_path, place.sinks)
    async with again.running():
        assert await again.task.flush_now()
        status = again.task.status()
        assert "s3: segment 1, which was acknowledged, is there no more" in status["problem"]
        assert status["sinks"]["s3"]["missing_segment"] == 1
        assert status["sinks"]["syslog"]["missing_segment"] is None
        (family,) = [f for f in again.task.metrics() if f.name == "flowrex_audit_missing_segment"]
        assert {one.labels["sink"]: one.value for one in family.samples} == {"s3": 1, "syslog": 0}


async def test_metrics_have_their_names(place: Place) -> None:
    names = {family.name for family in place.task.metrics()}
    assert {
        "flowrex_audit_lines",
        "flowrex_audit_quarantined",
        "flowrex_audit_lag_bytes",
        "flowrex_audit_lag_seconds",
        "flowrex_audit_lost_bytes",
    } <= names


async def test_it_beats_only_while_its_steps_end(place: Place) -> None:
    assert place.task._gets_on()
    place.lanes[0].step_since = place.clock.monotonic()
    assert place.task._gets_on()
    await place.clock.advance(1000)
    assert not place.task._gets_on()
