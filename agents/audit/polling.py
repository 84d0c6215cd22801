"""The thread that looks at the files. A look costs little, and most find nothing to do.

Waiting in the event loop, and a new thread for each look, would cost several times the look itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from agents.clock import Clock


class Sleeper(Protocol):
    """Who may have something to do after a look."""

    def wake(self) -> None:
        """Look for it; called in the event loop."""
        ...


class Polling:
    """Looks again and again while its block runs, in a thread that nobody waits for."""

    def __init__(self, look: Callable[[], Sequence[Sleeper]], every_s: float, clock: Clock) -> None:
        """Prepare.

        Args:
            look: looks once, and returns who is to be woken; may block.
            every_s: seconds between two looks, by the machine's clock.
            clock: tells for how long a look has not come back.
        """
        self._look = look
        self._every_s = every_s
        self._clock = clock
        self._looked_at = clock.monotonic()
        self._failed: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit poll", daemon=True)

    def __enter__(self) -> Polling:
        """Begin, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, without waiting for a look that hangs."""
        self._over.set()

    @property
    def silent_s(self) -> float:
        """Seconds since a look came back."""
        return self._clock.monotonic() - self._looked_at

    def check(self) -> None:
        """Raise what a look has raised, after which there is no other."""
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                woken = self._look()
            except Exception as error:  # noqa: BLE001 - `check` raises it in the task
                self._failed = error
                return
            self._looked_at = self._clock.monotonic()
            if woken:
                with suppress(RuntimeError):  # the loop is closed: the agent has stopped
                    self._loop.call_soon_threadsafe(_wake, woken)


def _wake(sleepers: Sequence[Sleeper]) -> None:
    for one in sleepers:
        one.wake()
