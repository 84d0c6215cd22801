"""Time, passed in, so that tests need not wait."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

# How far a store's newest object may be behind: where nothing is written, nothing ages either.
_BEHIND = timedelta(days=1)


class Clock(Protocol):
    """The two clocks of a machine: one tells the time and may jump, one only ever goes forward."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment, which never jump."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of the clock that never jumps."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some moment, which never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)


def believed(now: datetime, written: datetime) -> datetime:
    """Return the time that ages are counted by: the node's clock alone makes nothing old.

    Args:
        now: the time by the node's clock.
        written: when the store's newest object was written, by the store's clock.
    """
    return min(now, written + _BEHIND)
