"""The task: lanes that do not hold each other up, a flush at once, a stop that loses nothing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agents.wake import AUDIT
from flowrex.errors import LockHeld
from tests.unit.agents.audit.place import LINE, Place, ToldSink


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


async def test_it_beats_while_it_reads_all_of_a_sink(place: Place) -> None:
    place.write()
    async with place.running():
        assert await place.task.flush_now()
    again = Place(place.folder, place.sinks)
    (place.folder / "state" / "s3" / "cursor").unlink()
    lane = again.lanes[0]
    lane.step_since = again.clock.monotonic()
    await again.clock.advance(1000)
    assert not again.task._gets_on()
    lane.shipper.begin()
    assert again.task._gets_on()
    await again.clock.advance(1000)
    assert not again.task._gets_on()


async def test_it_beats_only_while_its_steps_end(place: Place) -> None:
    assert place.task._gets_on()
    place.lanes[0].step_since = place.clock.monotonic()
    assert place.task._gets_on()
    await place.clock.advance(1000)
    assert not place.task._gets_on()
