"""One task wakes another, also where the other is not waiting yet."""

from __future__ import annotations

import asyncio

from agents.wake import AUDIT, BACKUP, Wake
from flowrex.testing.clock import FakeClock, settle


async def test_a_ring_wakes_who_waits() -> None:
    wake = Wake(FakeClock())
    waiting = asyncio.create_task(wake.wait(AUDIT))
    await settle()
    wake.ring(AUDIT, "emergency")
    assert await waiting == "emergency"


async def test_a_ring_before_the_wait_is_not_lost_and_wakes_once() -> None:
    clock = FakeClock()
    wake = Wake(clock)
    wake.ring(BACKUP, "emergency")
    assert await wake.wait(BACKUP) == "emergency"
    again = asyncio.create_task(wake.wait(BACKUP, 10))
    await clock.advance(10)
    assert await again is None


async def test_bells_are_apart() -> None:
    clock = FakeClock()
    wake = Wake(clock)
    wake.ring(AUDIT)
    waiting = asyncio.create_task(wake.wait(BACKUP, 5))
    await clock.advance(5)
    assert await waiting is None
