"""How one task of the agent wakes another: an emergency ships the audit log's tail at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from agents.clock import Clock

AUDIT = "audit"
BACKUP = "backup"
STATUS = "status"


@dataclass
class Wake:
    """Named bells. A ring that nobody waits for is kept until somebody does. One event loop's."""

    clock: Clock
    _rung: dict[str, str] = field(default_factory=dict)
    _events: dict[str, asyncio.Event] = field(default_factory=dict)

    def ring(self, name: str, reason: str = "") -> None:
        """Wake who waits for `name`, now or later.

        Args:
            name: `AUDIT`, `BACKUP`, …
            reason: why, for the log of the woken one.
        """
        self._rung[name] = reason
        self._event(name).set()

    async def wait(self, name: str, timeout_s: float | None = None) -> str | None:
        """Wait for a ring.

        Args:
            name: the bell.
            timeout_s: seconds to wait at most.

        Returns:
            The last ring's reason, or None where the time is over.
        """
        waited: list[asyncio.Task[Any]] = [asyncio.create_task(self._event(name).wait())]
        if timeout_s is not None:
            waited.append(asyncio.create_task(self.clock.sleep(timeout_s)))
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if not self._event(name).is_set():
                return None
        finally:
            for one in waited:
                one.cancel()
        self._event(name).clear()
        return self._rung.pop(name, "")

    def _event(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())
