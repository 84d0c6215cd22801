"""One sink's shipper in the agent's loop: its thread, its pauses, its bandwidth, its numbers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agents.audit.begin import SAMPLE
from agents.audit.choose import Choice, choose, lost, waits
from agents.audit.file import AuditFile
from agents.audit.lag import Lag, lag
from agents.audit.ship import Shipper
from agents.backoff import Backoff
from agents.clock import Clock
from agents.cursor import Cursor
from agents.threads import in_daemon_thread
from flowrex.errors import ConfigurationError, FlowrexError

log = logging.getLogger(__name__)


@dataclass
class Lane:
    """What ships to one sink; another lane's trouble is none of its own.

    Attributes:
        shipper: does the work.
        clock: tells the time.
        backoff: the pauses while the sink fails.
        bandwidth: bytes a second; 0 for all.
        lag: how far behind it was at the last poll.
        failures: how often it failed since the start.
        cut_off: bytes that were cut off before they were shipped.
        problem: why it does not get on; empty where it does.
        shipped_at: when it last shipped something, in seconds since the epoch.
        step_since: when the step at hand began; None between two.
    """

    shipper: Shipper
    clock: Clock
    backoff: Backoff = field(default_factory=lambda: Backoff(1, 30))
    bandwidth: int = 0
    lag: Lag = field(default_factory=Lag)
    failures: int = 0
    cut_off: int = 0
    problem: str = ""
    shipped_at: float = 0
    step_since: float | None = None
    _flush_wanted: int = 0
    _flush_done: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _urgent: asyncio.Event = field(default_factory=asyncio.Event)
    _drained: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def troubles(self) -> list[str]:
        """Why it does not get on, and what it found to be gone."""
        cursor = self.shipper.cursor
        found = [self.problem] if self.problem else []
        if cursor is not None and cursor.missing is not None:
            number = cursor.missing.number
            found.append(f"segment {number}, which was acknowledged, is there no more: see verify")
        return found

    @property
    def lost(self) -> int:
        """Bytes that were never shipped and can't be any more."""
        cursor = self.shipper.cursor
        return self.cut_off + sum(cursor.lost_bytes().values() if cursor else ())

    @property
    def name(self) -> str:
        """The sink's name."""
        return self.shipper.sink.name

    async def run(self) -> None:
        """Ship until cancelled."""
        failures = 0
        while True:
            # What is wanted while a step is on its way is wanted of the next one.
            wanted = self._flush_wanted
            try:
                sent = await self._step(flush=wanted > self._flush_done)
            except ConfigurationError:
                raise
            except (FlowrexError, OSError) as error:
                failures += 1
                self._failed(error)
                await self._pause(self.backoff.seconds(failures), self._urgent)
                self._urgent.clear()
                continue
            if self.problem:
                log.warning("the audit log is shipped again", extra={"sink": self.name})
            self.problem, failures = "", 0
            if sent:
                self.shipped_at = self.clock.now().timestamp()
                if self.bandwidth:
                    await self.clock.sleep(sent / self.bandwidth)
                continue
            async with self._drained:
                self._flush_done = wanted
                self._drained.notify_all()
            if wanted == self._flush_wanted:
                self._news.clear()
                await self._news.wait()

    def flush(self) -> int:
        """Ship also what would wait for more, at once; return what to wait for."""
        self._flush_wanted += 1
        self._urgent.set()
        self._news.set()
        return self._flush_wanted

    async def flushed(self) -> None:
        """Ship all that was seen by now; return when the sink has it."""
        wanted = self.flush()
        async with self._drained:
            await self._drained.wait_for(lambda: self._flush_done >= wanted)

    async def flushed_to_the_end(self) -> None:
        """Ship until nothing is left or something fails; for the agent's stop."""
        with suppress(FlowrexError, OSError):
            while await self._step(flush=True):
                pass
            self.lag = Lag()

    def look(self) -> bool:
        """Take the numbers after a poll; called in the polling thread.

        Returns:
            Whether there is something to ship.
        """
        shipper, now = self.shipper, self.clock.monotonic()
        cursor = shipper.cursor or Cursor()
        files = shipper.tail.readable()
        for file in list(shipper.tail.cut_off):
            self.cut_off += lost(file, files, cursor)
        self.lag = lag(shipper.tail.all(), cursor, shipper.readiness, now)
        ready = choose(files, cursor, shipper.readiness, now, flush=False)
        return shipper.cursor is None or bool(ready)

    def wanted_from(self, file: AuditFile) -> int | None:
        """Return the first byte of a file that is wanted still; None where all of it is shipped.

        That is somewhat before the first that is not shipped: copies of files are told by it.
        """
        waiting = self._waiting(file)
        if waiting is None:
            return None
        position = (self.shipper.cursor or Cursor()).files.get(waiting.id)
        return 0 if position is None else max(0, min(position.start, waiting.offset - SAMPLE))

    def waits_for(self, file: AuditFile) -> float | None:
        """Return how long ago the oldest byte of a file that is not shipped was seen, if any."""
        waiting = self._waiting(file)
        return None if waiting is None else self.clock.monotonic() - waiting.since

    def _waiting(self, file: AuditFile) -> Choice | None:
        shipper, now = self.shipper, self.clock.monotonic()
        files, cursor = shipper.tail.readable(), shipper.cursor or Cursor()
        return waits(file, files, cursor, shipper.readiness, now)

    def silent_s(self) -> float:
        """Return for how long the step at hand has not got on; 0 between two."""
        if (since := self.step_since) is None:
            return 0
        return self.clock.monotonic() - max(since, self.shipper.got_on)

    def wake(self) -> None:
        """Let it look for something to ship."""
        self._news.set()

    def document(self) -> dict[str, Any]:
        """Return what the status says of it."""
        cursor = self.shipper.cursor
        counts = self.shipper.counts
        missing = None if cursor is None or cursor.missing is None else cursor.missing.number
        return {
            "lag": self.lag.document(),
            "tip": None if cursor is None else {"number": cursor.number, "digest": cursor.digest},
            "segments": counts.segments,
            "lines": counts.lines,
            "quarantined": counts.quarantined,
            "conflicts": counts.conflicts,
            "lost_bytes": self.lost,
            "lost_files": cursor.lost_bytes() if cursor else {},
            "missing_segment": missing,
            "problem": "; ".join(self.troubles),
        }

    async def _step(self, *, flush: bool) -> int:
        self.step_since = self.clock.monotonic()
        try:
            step: Callable[[], int] = partial(self.shipper.step, flush=flush)
            return await in_daemon_thread(step, name=f"audit {self.name}")
        finally:
            self.step_since = None

    def _failed(self, error: FlowrexError | OSError) -> None:
        said = error.message if isinstance(error, FlowrexError) else str(error)
        if said != self.problem:
            log.warning("the audit log waits", extra={"sink": self.name, "error": said})
        self.problem = said
        self.failures += 1

    async def _pause(self, seconds: float, until: asyncio.Event) -> None:
        waiting = [
            asyncio.create_task(self.clock.sleep(seconds)),
            asyncio.create_task(until.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
