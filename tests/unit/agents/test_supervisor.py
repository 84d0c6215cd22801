"""What failed is started again, what is stuck is named, what can't go on ends the agent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from agents.backoff import Backoff
from agents.supervisor import Supervisor
from agents.task import Beat
from flowrex.errors import ConfigurationError, ServerUnreachable
from flowrex.testing.clock import FakeClock, settle

Body = Callable[[Beat], Awaitable[None]]


class Worker:
    def __init__(self, name: str, body: Body, stall_s: float = 30) -> None:
        self.name, self.stall_s, self._body = name, stall_s, body

    async def run(self, beat: Beat) -> None:
        await self._body(beat)

    def status(self) -> dict[str, Any]:
        return {"told": self.name}

    def metrics(self) -> Iterator[Any]:
        return iter(())


async def idle(beat: Beat) -> None:
    await asyncio.Event().wait()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def supervisor(clock: FakeClock) -> Supervisor:
    return Supervisor(clock, Backoff(1, 120, chance=lambda: 1.0))


def state(supervisor: Supervisor, name: str) -> Any:
    return supervisor.document()[name]["state"]


async def test_a_task_that_raises_is_started_again_after_a_growing_wait(
    clock: FakeClock, supervisor: Supervisor
) -> None:
    starts: list[float] = []

    async def fails(beat: Beat) -> None:
        starts.append(clock.monotonic() - 1000)
        raise ServerUnreachable("Consul does not answer")

    supervisor.start([Worker("one", fails)])
    await clock.advance(8)
    assert starts == [0, 1, 3, 7]
    said = supervisor.document()["one"]
    assert said["state"] == "waiting"
    assert said["error"].startswith("Consul does not answer (again in ")
    assert said["restarts"] == 3


async def test_a_bug_in_one_task_does_not_reach_the_others(
    clock: FakeClock, supervisor: Supervisor
) -> None:
    async def breaks(beat: Beat) -> None:
        raise KeyError("nothing")

    supervisor.start([Worker("bad", breaks), Worker("good", idle)])
    await settle()
    assert state(supervisor, "bad") == "waiting"
    assert state(supervisor, "good") == "running"


async def test_an_hour_of_work_forgives_the_failures_before_it(
    clock: FakeClock, supervisor: Supervisor
) -> None:
    starts: list[float] = []

    async def works_for_an_hour_the_third_time(beat: Beat) -> None:
        starts.append(clock.monotonic() - 1000)
        if len(starts) == 3:
            await clock.sleep(3600)
        raise ServerUnreachable("away")

    supervisor.start([Worker("one", works_for_an_hour_the_third_time)])
    await clock.advance(3605)
    assert starts[:4] == [0, 1, 3, 3604]


async def test_a_task_that_returns_ends_the_agent(supervisor: Supervisor) -> None:
    async def returns(beat: Beat) -> None:
        return

    supervisor.start([Worker("one", returns)])
    error = await supervisor.failed()
    assert "task one returned" in error.message
    assert error.exit_status != 0


async def test_a_wrong_configuration_ends_the_agent(supervisor: Supervisor) -> None:
    async def refuses(beat: Beat) -> None:
        raise ConfigurationError("pg_dump is missing")

    supervisor.start([Worker("one", refuses)])
    assert (await supervisor.failed()).message == "pg_dump is missing"
    assert state(supervisor, "one") == "ended"


def missing_after(*before: bool) -> Body:
    """Return a body that finds a program missing; it beats before that in the runs that say so."""
    runs = iter(before)

    async def run(beat: Beat) -> None:
        if next(runs, False):
            beat()
        raise ConfigurationError("pg_dump is missing")

    return run


async def test_what_is_wrong_before_the_first_beat_ends_the_agent_also_where_a_part_says_so(
    supervisor: Supervisor,
) -> None:
    async def has_parts(beat: Beat) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(missing_after(False)(beat))  # type: ignore[arg-type]

    supervisor.start([Worker("one", has_parts)])
    assert (await supervisor.failed()).message == "pg_dump is missing"


@pytest.mark.parametrize("at_start", [True, False])
async def test_a_wrong_configuration_while_running_is_the_outage_of_one_task(
    clock: FakeClock, supervisor: Supervisor, at_start: bool
) -> None:
    # After a reload, not even the first run may end what goes well.
    supervisor.start([Worker("watch", idle)])
    supervisor.start([Worker("one", missing_after(at_start))], at_start=at_start)
    await clock.advance(4)
    said = supervisor.document()
    assert said["one"]["state"] == "waiting"
    assert said["one"]["error"].startswith("pg_dump is missing (again in ")
    assert said["one"]["restarts"] == 2
    assert said["watch"]["state"] == "running"


async def test_a_long_step_that_fails_is_no_beat(supervisor: Supervisor) -> None:
    async def looks(beat: Beat) -> None:
        with beat.allow(600):
            raise ConfigurationError("psql is missing")

    supervisor.start([Worker("one", looks)])
    assert (await supervisor.failed()).message == "psql is missing"


async def test_a_task_without_a_beat_is_stuck_and_named(
    clock: FakeClock, supervisor: Supervisor
) -> None:
    async def beats(beat: Beat) -> None:
        while True:
            beat()
            await clock.sleep(5)

    supervisor.start([Worker("hangs", idle, stall_s=10), Worker("works", beats, stall_s=10)])
    await clock.advance(10)
    assert supervisor.stuck() == []
    await clock.advance(1)
    assert supervisor.stuck() == ["hangs"]
    assert state(supervisor, "hangs") == "stuck"


async def test_a_long_step_may_be_allowed(clock: FakeClock, supervisor: Supervisor) -> None:
    async def dumps(beat: Beat) -> None:
        with beat.allow(3600):
            await clock.sleep(3000)
        await clock.sleep(1e6)

    supervisor.start([Worker("backup", dumps, stall_s=10)])
    await clock.advance(2999)
    assert supervisor.stuck() == []
    await clock.advance(12)
    assert supervisor.stuck() == ["backup"]


async def test_a_task_that_waits_for_its_restart_is_not_stuck(
    clock: FakeClock, supervisor: Supervisor
) -> None:
    supervisor.backoff = Backoff(100, 100, chance=lambda: 1.0)

    async def fails(beat: Beat) -> None:
        raise ServerUnreachable("away")

    supervisor.start([Worker("one", fails, stall_s=1)])
    await clock.advance(50)
    assert supervisor.stuck() == []


async def test_tasks_are_stopped_in_reverse_each_after_the_other(
    clock: FakeClock, supervisor: Supervisor
) -> None:
    ended: list[str] = []

    def saves(name: str) -> Body:
        async def run(beat: Beat) -> None:
            try:
                await idle(beat)
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        return run

    supervisor.start([Worker(name, saves(name)) for name in ("credentials", "audit", "status")])
    await settle()
    assert await supervisor.stop(within_s=5) == []
    assert ended == ["status", "audit", "credentials"]
    assert supervisor.tasks == ()


async def test_a_task_that_ignores_its_end_is_named_and_left(supervisor: Supervisor) -> None:
    never = asyncio.Event()

    async def stays(beat: Beat) -> None:
        while not never.is_set():
            try:
                await never.wait()
            except asyncio.CancelledError:
                continue

    supervisor.start([Worker("one", stays)])
    await settle()
    assert await supervisor.stop(within_s=0.01) == ["one"]
    never.set()


async def test_the_place_at_which_a_stuck_task_waits_is_told(
    clock: FakeClock, supervisor: Supervisor
) -> None:
    async def deep(beat: Beat) -> None:
        await clock.sleep(1e6)

    supervisor.start([Worker("one", deep, stall_s=1)])
    await settle()
    places = supervisor.tasks[0].where()
    assert [place.rsplit(" ", 1)[1] for place in places][-2:] == ["deep", "sleep"]
