"""What operators did, carried into the audit trail: all of it, each once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.audit.operators import Operators
from agents.audit.own import PATTERN, OwnTrail
from agents.context import Context
from agents.supervised import Beat
from flowrex import keys
from flowrex.audit import outbox
from flowrex.audit.record import Link, follow
from flowrex.errors import LockHeld, PermissionRefused
from flowrex.testing.clock import FakeClock
from flowrex.testing.consul import FakeConsul


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own"


@pytest.fixture
def task(context: Context, folder: Path) -> Operators:
    return Operators(context, OwnTrail(folder))


def leave(consul: FakeConsul, context: Context, verb: str) -> None:
    environment = context.settings.environment
    outbox.leave(
        consul,  # type: ignore[arg-type]
        environment,
        verb,
        "done",
        by="kim@desk",
        detail={},
    )


def lines(folder: Path) -> list[bytes]:
    return [
        line for path in sorted(folder.glob(PATTERN)) for line in path.read_bytes().splitlines()
    ]


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(folder)]


def test_what_waits_is_written_in_order_and_taken_away(
    task: Operators, consul: FakeConsul, context: Context, folder: Path
) -> None:
    for verb in ("run", "promote", "rollback"):
        leave(consul, context, verb)
    assert task.carry() == 3
    assert [one["path"].split("/")[1] for one in records(folder)] == ["run", "promote", "rollback"]
    assert consul.kv_list(keys.outbox(context.settings.environment)) == []
    link = Link(records(folder)[0]["chain"])
    for line in lines(folder):
        link = follow(line, link)


def test_nothing_is_done_where_nothing_waits(task: Operators, folder: Path) -> None:
    assert task.carry() == 0
    assert not folder.exists()


def test_what_a_death_left_behind_is_not_written_twice(
    task: Operators, consul: FakeConsul, context: Context, folder: Path
) -> None:
    leave(consul, context, "run")
    (entry,) = consul.kv_list(keys.outbox(context.settings.environment))
    task.carry()
    consul.kv_put(entry.key, entry.value)  # as if it had died before taking it away
    Operators(context, OwnTrail(folder)).carry()
    assert len(records(folder)) == 1
    assert consul.kv_list(keys.outbox(context.settings.environment)) == []


@pytest.mark.parametrize("tidied", [False, True])
def test_what_could_not_be_taken_away_is_not_written_twice(
    task: Operators,
    consul: FakeConsul,
    context: Context,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tidied: bool,
) -> None:
    leave(consul, context, "run")
    task.carry()

    def refused(key: str) -> None:
        raise PermissionRefused("no")

    leave(consul, context, "promote")
    with monkeypatch.context() as patch:
        patch.setattr(consul, "kv_delete", refused)
        with pytest.raises(PermissionRefused):
            task.carry()
    assert len(records(folder)) == 2
    if tidied:
        for path in folder.iterdir():
            path.write_bytes(b"")
    task.carry()
    assert len(records(folder)) == (0 if tidied else 2)
    assert consul.kv_list(keys.outbox(context.settings.environment)) == []


def test_one_that_can_not_be_read_is_written_as_it_is_and_counted(
    task: Operators, consul: FakeConsul, context: Context, folder: Path
) -> None:
    consul.kv_put(keys.outbox_entry(context.settings.environment, "x"), "{not json")
    task.carry()
    (found,) = records(folder)
    assert (found["kind"], found["detail"]["text"]) == ("unreadable", "{not json")
    samples = {
        sample.labels["result"]: sample.value
        for family in task.metrics()
        for sample in family.samples
        if "result" in sample.labels
    }
    assert samples == {"carried": 1, "unreadable": 1}


def test_a_trail_that_can_not_be_written_keeps_the_entry(
    context: Context, consul: FakeConsul, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text("in the way")
    leave(consul, context, "run")
    with pytest.raises(OSError, match=r"in the way|exists|directory"):
        Operators(context, OwnTrail(tmp_path / "own")).carry()
    assert len(consul.kv_list(keys.outbox(context.settings.environment))) == 1


def test_one_agent_does_it_at_a_time(
    task: Operators, consul: FakeConsul, context: Context, folder: Path
) -> None:
    leave(consul, context, "run")
    session = consul.session_create("another", 30, behavior="delete")
    key = keys.outbox_lock(context.settings.environment)
    assert consul.kv_put(key, json.dumps({"node": "n2"}), acquire=session)
    with pytest.raises(LockHeld):
        task.carry()
    assert not folder.exists()


def test_another_environments_are_left_alone(
    task: Operators, consul: FakeConsul, folder: Path
) -> None:
    consul.kv_put(keys.outbox_entry("elsewhere", "x"), "{}")
    assert task.carry() == 0


@asynccontextmanager
async def running(task: Operators) -> AsyncIterator[None]:
    running = asyncio.create_task(task.run(Beat(FakeClock())))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def carried(task: Operators, count: int) -> None:
    async with asyncio.timeout(10):
        while task.status()["carried"] < count:
            await asyncio.sleep(0.01)


async def test_what_is_left_is_carried_at_once(
    task: Operators, consul: FakeConsul, context: Context
) -> None:
    async with running(task):
        for count, verb in enumerate(("run", "promote"), 1):
            leave(consul, context, verb)
            await carried(task, count)


async def test_what_another_agent_left_undone_is_taken_up(
    task: Operators, consul: FakeConsul, context: Context, clock: FakeClock
) -> None:
    session = consul.session_create("another", 30, behavior="delete")
    key = keys.outbox_lock(context.settings.environment)
    assert consul.kv_put(key, json.dumps({"node": "n2"}), acquire=session)
    leave(consul, context, "run")
    async with running(task):
        for _ in range(20):
            await asyncio.sleep(0.01)
            await clock.advance(5)
        assert task.status()["carried"] == 0
        consul.session_destroy(session)
        async with asyncio.timeout(10):
            while not task.status()["carried"]:
                await asyncio.sleep(0.01)
                await clock.advance(5)
