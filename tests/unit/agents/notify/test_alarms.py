"""People are told of an alarm when it is raised and when it is over, and never in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from agents.alarms import FOLDER, Alarm, Alarms
from agents.context import Context
from agents.notify.alarms import Alarming
from agents.notify.spool import Spool
from flowrex.testing.clock import FakeClock

GAP = Alarm("wal gap", "A segment is missing: take a full backup.")
Told = Callable[[], list[str]]


@pytest.fixture
def here(context: Context) -> Context:
    notify = context.settings.notify
    notify = replace(notify, webhook=replace(notify.webhook, enabled=True))
    physical = replace(context.settings.physical, enabled=True)
    return replace(context, settings=replace(context.settings, notify=notify, physical=physical))


@pytest.fixture
def alarms(here: Context, clock: FakeClock) -> Alarms:
    return Alarms(clock, here.state(FOLDER) / "physical.json")


@pytest.fixture
def told(here: Context) -> Told:
    """Look as a new life of the agent would, and return the new messages' subjects, as sent."""

    def look() -> list[str]:
        Alarming(here).look()
        spool = Spool(here.state("notify"))
        waiting = list(spool.waiting())
        for one in waiting:
            spool.sent(one)
        return [one.message.subject for one in waiting]

    return look


def test_one_is_told_once_and_once_that_it_is_over(
    alarms: Alarms, told: Told, clock: FakeClock
) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(minutes=2)
    assert told() == ["[prod] alarm: physical, wal gap on node-1"]
    for _ in range(3):
        clock.time += timedelta(minutes=1)
        alarms.report("archive", [GAP])
        assert told() == []
    alarms.report("archive", [])
    assert told() == ["[prod] over: physical, wal gap on node-1"]
    assert told() == []


def test_the_message_says_what_is_wrong_and_what_to_do(
    alarms: Alarms, here: Context, clock: FakeClock
) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(minutes=2)
    assert Alarming(here).look() == 1
    (one,) = Spool(here.state("notify")).waiting()
    assert GAP.text in one.message.text
    assert "flowrexctl agents prod" in one.message.text


def test_what_is_over_by_the_next_try_is_told_to_nobody(
    alarms: Alarms, told: Told, clock: FakeClock
) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(seconds=119)
    assert told() == []
    alarms.report("archive", [])
    clock.time += timedelta(minutes=10)
    assert told() == []


def test_the_same_at_another_time_is_another(alarms: Alarms, told: Told, clock: FakeClock) -> None:
    for _ in range(2):
        alarms.report("archive", [GAP])
        clock.time += timedelta(minutes=2)
        assert len(told()) == 1
        alarms.report("archive", [])
        assert len(told()) == 1


def test_a_death_between_the_message_and_its_note_tells_nothing_twice(
    alarms: Alarms, told: Told, here: Context, clock: FakeClock
) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(minutes=2)
    assert len(told()) == 1
    (here.state("notify") / "told-alarms.json").unlink()
    clock.time += timedelta(minutes=1)
    assert told() == []


def test_of_what_cannot_be_read_nothing_is_said_to_be_over(
    alarms: Alarms, told: Told, here: Context, clock: FakeClock
) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(minutes=2)
    assert len(told()) == 1
    path = here.state(FOLDER) / "physical.json"
    text = path.read_text()
    path.write_text("half of i")
    assert told() == []
    path.write_text(text)
    assert told() == []


def test_what_stands_is_told_as_soon_as_somebody_listens(
    alarms: Alarms, told: Told, context: Context, clock: FakeClock
) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(hours=1)
    assert Alarming(context).look() == 0
    assert len(told()) == 1


def test_they_can_be_switched_off(alarms: Alarms, here: Context, clock: FakeClock) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(hours=1)
    notify = here.settings.notify
    notify = replace(notify, alarms=replace(notify.alarms, enabled=False))
    off = Alarming(replace(here, settings=replace(here.settings, notify=notify)))
    assert off.look() == 0
    assert off.status()["standing"] == ["physical: wal gap"]


def test_of_a_capability_that_is_switched_off_nothing_stands(
    alarms: Alarms, told: Told, here: Context, clock: FakeClock
) -> None:
    alarms.report("archive", [GAP])
    clock.time += timedelta(minutes=2)
    assert told() == ["[prod] alarm: physical, wal gap on node-1"]
    physical = replace(here.settings.physical, enabled=False)
    off = replace(here, settings=replace(here.settings, physical=physical))
    assert Alarming(off).look() == 1
    (one,) = Spool(here.state("notify")).waiting()
    assert one.message.subject == "[prod] over: physical, wal gap on node-1"
