"""The looks: again and again, waking whom they name, until the end or a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from agents.audit.polling import Polling
from flowrex.testing.clock import FakeClock


@dataclass
class Woken:
    times: int = 0
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self.times += 1
        self.event.set()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def test_who_has_something_to_do_is_woken_and_nobody_else() -> None:
    one, other = Woken(), Woken()
    with Polling(lambda: [one], 0.01, FakeClock()):
        await asyncio.wait_for(one.event.wait(), 10)
    assert other.times == 0


async def test_it_looks_until_the_end_of_the_block() -> None:
    looks: list[int] = []

    def look() -> list[Woken]:
        looks.append(1)
        return []

    with Polling(look, 0.01, FakeClock()) as polling:
        await until(lambda: len(looks) > 2)
        polling.check()
    polling._thread.join(10)
    assert not polling._thread.is_alive()


async def test_an_error_of_a_look_is_raised_by_the_check() -> None:
    def look() -> list[Woken]:
        raise OSError("no such disk")

    with Polling(look, 0.01, FakeClock()) as polling:
        polling._thread.join(10)
        with pytest.raises(OSError, match="no such disk"):
            polling.check()


async def test_it_tells_for_how_long_no_look_came_back() -> None:
    clock = FakeClock()
    with Polling(lambda: [], 3600, clock) as polling:
        clock.move(61)
        assert polling.silent_s == 61
