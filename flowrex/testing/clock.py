"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Both clocks of a machine, moved by `advance` only.

    Attributes:
        time: what `now` returns; set it to let the clock jump.
    """

    def __init__(self, start: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self.time = start
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self.time

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until a test has moved the clock so far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._monotonic + seconds, woken)
        self._sleepers.append(entry)
        try:
            await woken
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)

    async def advance(self, seconds: float) -> None:
        """Move both clocks on, waking sleepers in their order as their moments come."""
        await settle()
        end = self._monotonic + seconds
        while due := [entry for entry in self._sleepers if entry[0] <= end]:
            moment, woken = min(due, key=lambda entry: entry[0])
            self.move(moment - self._monotonic)
            self._sleepers.remove((moment, woken))
            if not woken.done():
                woken.set_result(None)
            await settle()
        self.move(end - self._monotonic)
        await settle()

    def move(self, seconds: float) -> None:
        """Move both clocks on for what only reads them; no sleeper is woken."""
        self._monotonic += seconds
        self.time += timedelta(seconds=seconds)


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)
