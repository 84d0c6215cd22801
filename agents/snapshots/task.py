"""The task `snapshots`: each server's when it is due, whatever became of the others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agents.alarms import FOLDER, Alarm, Alarms
from agents.backup.schedule import AGAIN, Schedule, latest, pause, waits
from agents.context import Context
from agents.snapshots.work import Snapshots
from agents.task import Beat
from agents.threads import in_daemon_thread
from flowrex.duration import seconds
from flowrex.errors import FlowrexError, LockHeld, PermissionRefused

log = logging.getLogger(__name__)

_LOOK_S = 60.0
# What failed is tried again after so long, then twice as long, up to an hour.


class Stopped(BaseException):
    """The agent stops: work ends at its next piece. It is no Exception, so that it passes."""


@dataclass
class _Kind:
    last: datetime | None = None
    good: datetime | None = None
    count: int = 0
    failures: int = 0
    total_failures: int = 0
    not_before: datetime | None = None
    problem: str = ""
    doubt: str = ""


class SnapshotTask:
    """Takes them all by itself."""

    name = "snapshots"
    # A server may let its answer hang until the connection's timeout.
    stall_s = 300.0

    def __init__(self, context: Context, snapshots: Snapshots | None = None) -> None:
        """Prepare; nothing is asked yet.

        Args:
            context: the surroundings.
            snapshots: the work; made of the surroundings unless given.

        Raises:
            ConfigurationError: the schedule is none.
        """
        chosen = context.settings.snapshots
        jitter = timedelta(seconds=seconds(chosen.jitter))
        self._context = context
        self._snapshots = snapshots or Snapshots.of(context)
        self._schedule = Schedule(
            chosen.schedule, chosen.time_zone, jitter, f"{context.node}/snapshots"
        )
        self._kinds = {kind: _Kind() for kind in self._snapshots.sources}
        self._alarms = Alarms(context.clock, context.state(FOLDER) / "snapshots.json")
        self._doing = ""
        self._ticks = 0
        self._stopping = threading.Event()

    async def run(self, beat: Beat) -> None:
        """Look every minute what is due, and take it, until cancelled."""
        self._stopping.clear()
        while True:
            beat()
            await self._in_thread(beat)
            await self._context.clock.sleep(_LOOK_S)

    def round(self) -> None:
        """Take what is due, in this thread."""
        for kind, state in self._kinds.items():
            now = self._context.clock.now()
            if waits(state.not_before, now):
                continue
            try:
                self._look(kind, state)
                if self._schedule.due(state.last, now) > now:
                    self._alarms.report(kind, [])  # another node has taken it since
                    continue
                self._doing = kind
                self._take(kind, state)
            except LockHeld as error:
                log.info("another one is at it", extra={"of": kind, "why": error.message})
                state.not_before = now + AGAIN
            except FlowrexError as error:
                self._failed(kind, state, now, error)
            finally:
                self._doing = ""

    def _take(self, kind: str, state: _Kind) -> None:
        def taken_meanwhile() -> bool:
            self._look(kind, state)
            now = self._context.clock.now()
            return self._schedule.due(state.last, now) > now

        if self._snapshots.take(kind, "scheduled", tick=self._tick, unless=taken_meanwhile):
            log.info("a snapshot was taken and read again", extra={"of": kind})
            self._tell_doubt(kind, self._snapshots.prune(kind).doubt)
            self._look(kind, state)
        state.failures, state.not_before, state.problem = 0, None, ""
        self._alarms.report(kind, [])

    def _tell_doubt(self, kind: str, doubt: str) -> None:
        """Tell why none was deleted, until one may be."""
        self._kinds[kind].doubt = doubt
        found = [Alarm(f"{kind} snapshots not pruned", doubt)] if doubt else []
        self._alarms.report(f"{kind} prune", found)

    def _look(self, kind: str, state: _Kind) -> None:
        listing = self._snapshots.list(kind)
        state.count = len(listing.backups)
        state.last = latest(listing.scheduled, self._context.clock.now())
        state.good = max((one.at for one in listing.backups if one.good), default=None)

    def _failed(self, kind: str, state: _Kind, now: datetime, error: FlowrexError) -> None:
        state.failures += 1
        state.total_failures += 1
        state.problem = error.message
        state.not_before = now + pause(state.failures)
        log.error("a snapshot failed", extra={"of": kind, "why": error.message, "hint": error.hint})
        why = " ".join(filter(None, (error.message, error.hint)))
        self._alarms.report(kind, [Alarm(f"{kind} snapshot failed", why)])
        if isinstance(error, PermissionRefused):
            self._context.refused()

    def _tick(self) -> None:
        self._ticks += 1
        if self._stopping.is_set():
            raise Stopped

    async def _in_thread(self, beat: Beat) -> None:
        """Work in a thread, and beat as long as pieces come."""
        thread = asyncio.create_task(in_daemon_thread(self.round, name="snapshots"))
        ticks = -1
        try:
            while not thread.done():
                await asyncio.wait({thread}, timeout=1.0)
                if ticks != self._ticks:
                    ticks = self._ticks
                    beat()
            await thread
        except asyncio.CancelledError:
            self._stopping.set()
            with suppress(Stopped):
                await thread
            raise

    def status(self) -> dict[str, Any]:
        """Return, by server, how old the newest good snapshot is and what fails."""
        now = self._context.clock.now()
        return {
            "doing": self._doing or None,
            "problem": "; ".join(
                f"{kind}: {why}"
                for kind, state in self._kinds.items()
                for why in (state.problem, state.doubt)
                if why
            ),
            "good_at": {
                kind: state.good.isoformat() if state.good else None
                for kind, state in self._kinds.items()
            },
            "next": {
                kind: self._schedule.due(state.last, now).isoformat()
                for kind, state in self._kinds.items()
            },
        }

    def metrics(self) -> Iterator[Any]:
        """Yield, by server, when the newest good snapshot was taken and how often it failed."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        good = GaugeMetricFamily(
            "flowrex_snapshot_last_success_timestamp_seconds",
            "When the newest good snapshot was taken.",
            labels=["of"],
        )
        failures = CounterMetricFamily(
            "flowrex_snapshot_failures", "How often a snapshot failed.", labels=["of"]
        )
        for kind, state in self._kinds.items():
            if state.good is not None:
                good.add_metric([kind], state.good.timestamp())
            failures.add_metric([kind], state.total_failures)
        yield good
        yield failures
