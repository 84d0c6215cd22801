"""The task `backup`: backs up, drills and prunes when it is due; what was missed is made up for."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from agents.alarms import FOLDER, Alarm, Alarms
from agents.backup.assemble import backups_of
from agents.backup.hands import Hands
from agents.backup.schedule import AGAIN, Schedule, latest, pause, waits
from agents.backup.work import Backups
from agents.context import Context
from agents.task import Beat
from agents.threads import in_daemon_thread
from flowrex.backup_state import BackupState
from flowrex.duration import seconds
from flowrex.errors import FlowrexError, LockHeld, NotFound, PermissionRefused
from flowrex.files import write_atomic

log = logging.getLogger(__name__)

_LOOK_S = 30.0
# What failed is tried again after so long, then twice as long, up to an hour.
_JOBS = ("backup", "drill", "prune")

T = TypeVar("T")


class Stopped(BaseException):
    """The agent stops: work ends at its next tick. It is no Exception, so that it passes."""


@dataclass
class Job:
    """One of the three things that are done by the clock.

    Attributes:
        schedule: when.
        last: when it was begun last.
        failures: how often in a row it failed.
        not_before: not tried again earlier.
        problem: why it failed last; "" where it did not.
        took_s: how long it took last.
        total_failures: since the agent started.
    """

    schedule: Schedule
    last: datetime | None = None
    failures: int = 0
    not_before: datetime | None = None
    problem: str = ""
    took_s: float = 0.0
    total_failures: int = 0

    def due(self, now: datetime) -> bool:
        """Tell whether it is to be done now."""
        return not waits(self.not_before, now) and self.wanted(now)

    def wanted(self, now: datetime) -> bool:
        """Tell whether its time has come, also where it has to wait after a failure."""
        return self.schedule.due(self.last, now) <= now

    def failed(self, now: datetime, why: str) -> None:
        """Take note of a failure."""
        self.failures += 1
        self.total_failures += 1
        self.problem = why
        self.not_before = now + pause(self.failures)

    def succeeded(self, begun: datetime, took_s: float) -> None:
        """Take note of a success."""
        self.last, self.took_s = begun, took_s
        self.failures, self.problem, self.not_before = 0, "", None


@dataclass
class _Seen:
    state: BackupState | None = None
    last_backup: datetime | None = None
    bytes: int = 0
    doing: str = ""
    done: dict[str, str] = field(default_factory=dict)


class BackupTask:
    """Does it all by itself."""

    name = "backup"
    # An upload may hang until its connection times out, three times.
    stall_s = 300.0

    def __init__(self, context: Context, backups: Backups | None = None) -> None:
        """Prepare; nothing is asked yet.

        Args:
            context: the surroundings.
            backups: the work; made of the surroundings unless given.
        """
        self._context = context
        self._backups = backups or backups_of(context)
        plan = self._backups.settings.schedule
        jitter = timedelta(seconds=seconds(plan.jitter))
        self._jobs = {
            job: Job(Schedule(getattr(plan, job), plan.zone, jitter, f"{context.node}/{job}"))
            for job in _JOBS
        }
        self._file = context.state("backup") / "runs.json"
        self._alarms = Alarms(context.clock, context.state(FOLDER) / "backup.json")
        self._seen = _Seen()
        self._stopping = threading.Event()
        self._ticks = 0

    async def run(self, beat: Beat) -> None:
        """Look every half minute what is due, and do it, until cancelled."""
        self._stopping.clear()
        await asyncio.to_thread(self._remember)
        while True:
            beat()
            await self._in_thread(self._round, beat)
            await self._context.clock.sleep(_LOOK_S)

    def status(self) -> dict[str, Any]:
        """Return what was done last and what is due next."""
        now = self._context.clock.now()
        state = self._seen.state
        return {
            "doing": self._seen.doing or None,
            "database": self._backups.database,
            "good": state.good if state else None,
            "good_at": state.good_at if state else None,
            "count": state.count if state else None,
            "drilled_at": state.drilled_at if state else None,
            "next": {
                name: job.schedule.due(job.last, now).isoformat()
                for name, job in self._jobs.items()
            },
            "problem": "; ".join(
                f"{name}: {job.problem}" for name, job in self._jobs.items() if job.problem
            ),
        }

    def metrics(self) -> Iterator[Any]:
        """Yield how old and how good the backups are."""
        from agents.backup.metrics import families

        jobs = {
            name: (job.last, job.took_s, job.total_failures) for name, job in self._jobs.items()
        }
        yield from families(self._backups.database, self._seen.state, self._seen.bytes, jobs)

    def _round(self) -> None:
        """Do what is due, in this thread."""
        now = self._context.clock.now()
        try:
            self._look()
        except FlowrexError as error:
            # Whether a backup is due is in the store; without it there is nowhere to put one.
            self._jobs["backup"].problem = f"the backups can't be listed: {error.message}"
            self._alarms.report("store", [Alarm("backups unseen", self._jobs["backup"].problem)])
            return
        self._alarms.report("store", [])
        for name, act in (
            ("backup", self._back_up),
            ("drill", self._drill),
            ("prune", self._prune),
        ):
            if self._jobs[name].due(now):
                self._attempt(name, act)
            elif not self._jobs[name].wanted(now):
                # Another node has done it since.
                self._alarms.report(name, [])

    def _look(self) -> None:
        listing = self._backups.list()
        job = self._jobs["backup"]
        job.last = latest(listing.scheduled, self._context.clock.now())
        if job.problem.startswith("the backups can't be listed"):
            job.problem = ""
        if listing.backups:
            self._seen.bytes = listing.backups[-1].bytes
        self._seen.state = self._backups.publish(job.problem, listing) or self._seen.state

    def _attempt(self, name: str, act: Callable[[Hands], None]) -> None:
        job, clock = self._jobs[name], self._context.clock
        begun, since = clock.now(), clock.monotonic()
        self._seen.doing = name
        try:
            act(Hands(self._tick, self._say))
        except LockHeld as error:
            # Another node does it, or an operator; what is due is looked at afresh.
            log.info("another one is at it", extra={"job": name, "why": error.message})
            job.not_before = begun + AGAIN
        except FlowrexError as error:
            job.failed(begun, error.message)
            log.error("a job failed", extra={"job": name, "why": error.message, "hint": error.hint})
            why = " ".join(filter(None, (error.message, error.hint)))
            self._alarms.report(name, [Alarm(f"{name} failed", why)])
            if isinstance(error, PermissionRefused):
                self._context.refused()
            if name == "backup":
                self._seen.state = self._backups.publish(job.problem) or self._seen.state
        else:
            job.succeeded(begun, clock.monotonic() - since)
            self._alarms.report(name, [])
            self._save()
            with suppress(FlowrexError):  # the next round says it
                self._look()
        finally:
            self._seen.doing = ""

    def _back_up(self, hands: Hands) -> None:
        def done_meanwhile() -> bool:
            now = self._context.clock.now()
            self._jobs["backup"].last = latest(self._backups.list().scheduled, now)
            return not self._jobs["backup"].due(now)

        self._backups.take("scheduled", hands, unless=done_meanwhile)

    def _drill(self, hands: Hands) -> None:
        good = [one for one in self._backups.list().backups if one.good]
        if not good:
            raise NotFound(
                "there is no good backup to drill",
                hint="`flowrex-agent backup list` tells what there is, `backup now` takes one.",
            )
        self._backups.drill(good[-1].name, hands)

    def _prune(self, hands: Hands) -> None:
        if doubt := self._backups.prune(hands).doubt:
            raise FlowrexError(
                doubt, hint="`flowrex-agent backup prune --dry-run` shows each backup."
            )

    def _tick(self) -> None:
        self._ticks += 1
        if self._stopping.is_set():
            raise Stopped

    def _say(self, message: str) -> None:
        log.info(message, extra={"job": self._seen.doing})
        self._tick()

    async def _in_thread(self, work: Callable[[], None], beat: Beat) -> None:
        """Work in a thread, and beat as long as it ticks."""
        thread = asyncio.create_task(in_daemon_thread(work, name="backup"))
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

    def _remember(self) -> None:
        try:
            found = json.loads(self._file.read_text())
            for name in ("drill", "prune"):
                self._jobs[name].last = datetime.fromisoformat(found[name])
        except (OSError, ValueError, KeyError, TypeError):
            # The first start, or a file that was damaged: both are done when they are due next.
            for name in ("drill", "prune"):
                self._jobs[name].last = self._jobs[name].last or self._context.clock.now()

    def _save(self) -> None:
        runs = {name: job.last.isoformat() for name, job in self._jobs.items() if job.last}
        write_atomic(Path(self._file), json.dumps(runs) + "\n", mode=0o600)
