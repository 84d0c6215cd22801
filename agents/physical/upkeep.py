"""The task `physical-backup`: backups, checks, verifications and expiry, each when it is due."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

from agents.alarms import Alarm, Alarms
from agents.backup.schedule import Schedule, latest
from agents.context import Context
from agents.lock import HeldLock
from agents.physical import alone
from agents.physical.duty import Duty
from agents.physical.expiry import refusal
from agents.physical.stanza import Stanza
from agents.physical.state import State
from agents.physical.watch import Watch
from agents.task import Beat
from flowrex import keys
from flowrex.duration import seconds
from flowrex.errors import FlowrexError, LockHeld
from flowrex.pgbackrest import BackupType

log = logging.getLogger(__name__)

_TICK_S = 15.0
# What failed is tried again after so long, twice as long each time, up to an hour.
_AGAIN_S = 60.0
_AGAIN_MAX_S = 3600.0
# What another node, or an operator, is at is looked at again after so long.
_HELD_S = 120.0


class Upkeep:
    """Does one thing at a time; pgBackRest would refuse a second one."""

    name = "physical-backup"
    stall_s = 8 * _TICK_S

    def __init__(self, context: Context, stanza: Stanza, watch: Watch, alarms: Alarms) -> None:
        """Prepare the duties.

        Args:
            context: settings, clock and the state's folder.
            stanza: the cluster.
            watch: knows what is in the archive.
            alarms: takes what fails.

        Raises:
            ConfigurationError: a schedule is none.
        """
        chosen = context.settings.physical
        self._context = context
        self._stanza = stanza
        self._watch = watch
        self._alarms = alarms
        self._path = context.state("physical") / "state.json"
        self._state = State.load(self._path)
        self._limit_s = seconds(chosen.limit) + 600
        self._expiry = ""
        self._done = ""
        jitter = timedelta(seconds=seconds(chosen.jitter))

        def schedule(name: str, cron: str) -> Schedule:
            return Schedule(cron, chosen.time_zone, jitter, f"{context.node}/physical/{name}")

        state = self._state
        self._duties = (
            Duty("full backup", schedule("full", chosen.full), self._last_full, self._full),
            Duty("diff backup", schedule("diff", chosen.diff), self._last_any, self._diff),
            Duty(
                "check",
                schedule("check", chosen.check),
                lambda: state.checked_at,
                self._check,
                alone=False,
            ),
            Duty(
                "verify",
                schedule("verify", chosen.verify),
                lambda: state.verify_begun_at,
                self._verify,
                alone=False,
            ),
        )

    async def run(self, beat: Beat) -> None:
        """Do what is due, for ever."""
        while True:
            with beat.allow(len(self._duties) * self._limit_s):
                await self.round()
            beat()
            await self._context.clock.sleep(_TICK_S)

    async def round(self) -> None:
        """Do what is due now, one after the other."""
        for duty in self._duties:
            if self._due(duty):
                await self._do(duty)
            elif self._seen() and not self._wanted(duty):
                # An operator, or another node, has done it since; maybe before a restart.
                duty.problem = []
                self._alarms.report(duty.name, [])

    def _due(self, duty: Duty) -> bool:
        waits = self._context.clock.monotonic() < duty.not_before
        return not waits and self._seen() and self._wanted(duty)

    def _seen(self) -> bool:
        """Tell whether the repository was looked at: else nothing is known of the last backups."""
        return self._watch.repository is not None and self._watch.repository.exists

    def _wanted(self, duty: Duty) -> bool:
        """Tell whether its time has come, also where it has to wait after a failure."""
        now = self._context.clock.now()
        return duty.schedule.due(duty.last(), now) <= now

    async def _do(self, duty: Duty) -> None:
        log.info("begins", extra={"duty": duty.name})
        begun = self._context.clock.monotonic()
        try:
            if not await self._work(duty):
                return
        except LockHeld as error:
            log.info("another one is at it", extra={"duty": duty.name, "why": error.message})
            duty.not_before = self._context.clock.monotonic() + _HELD_S
            return
        except FlowrexError as error:
            duty.failures += 1
            wait_s = min(_AGAIN_MAX_S, _AGAIN_S * 2 ** (duty.failures - 1))
            duty.not_before = self._context.clock.monotonic() + wait_s
            duty.problem = [Alarm(f"{duty.name} failed", error.message)]
            log.warning("failed", extra={"duty": duty.name, "why": error.message})
        else:
            duty.failures, duty.not_before, duty.problem = 0, 0.0, []
            took_s = self._context.clock.monotonic() - begun
            self._done = f"{duty.name} in {took_s:.0f} s"
            log.info("ended", extra={"duty": duty.name, "took_s": round(took_s, 1)})
        self._alarms.report(duty.name, duty.problem)

    async def _work(self, duty: Duty) -> bool:
        """Do it, and tell whether there was anything to do."""
        if not duty.alone:
            await duty.work()
            return True
        async with self._lock(duty.name) as lock:
            # Whoever had the lock before may have done it.
            self._watch.look_again()
            await self._watch.look()
            if not self._due(duty):
                return False
            await alone.watched(duty.work(), lock.check)
            return True

    # The duties

    async def _full(self) -> None:
        await self._backup("full")

    async def _diff(self) -> None:
        await self._backup("diff")

    async def _backup(self, kind: BackupType) -> None:
        await self._stanza.backup(kind, reason="scheduled")
        self._watch.look_again()
        await self._watch.look()

    async def _check(self) -> None:
        await self._stanza.check()
        self._state.checked_at = self._context.clock.now()
        self._save()

    async def _verify(self) -> None:
        begun = self._context.clock.now()
        found = await self._stanza.verify()
        self._state.verify_begun_at = begun
        if found.good:
            self._state.verified_at = begun
        self._save()
        self._alarms.report(
            "verified",
            [] if found.good else [Alarm("repository damaged", "; ".join(found.problems))],
        )
        if found.good:
            await self._expire()

    async def _expire(self) -> None:
        """Expire, and tell where that fails: the store fills up then."""
        problem: list[Alarm] = []
        try:
            await self._expire_what_may_go()
        except LockHeld as error:
            # A backup builds on what would go, or a restore reads it. The next day does it.
            self._expiry = error.message
            log.info("nothing was deleted", extra={"why": error.message})
        except FlowrexError as error:
            self._expiry = error.message
            problem = [Alarm("expiry failed", error.message)]
        self._alarms.report("expiry", problem)

    async def _expire_what_may_go(self) -> None:
        """Let pgBackRest delete what is past its retention, where nothing is in doubt."""
        # The segment that this sends is the newest in the store, and has the store's own time.
        await self._stanza.check()
        self._watch.look_again()
        await self._watch.look()
        repository, listing = self._watch.repository, self._watch.listing
        assert repository is not None
        why = refusal(
            repository,
            now=self._context.clock.now(),
            store_now=None if listing is None else listing.newest,
            verified_at=self._state.verified_at,
            retention_days=self._context.settings.physical.retention_days,
        )
        self._expiry = why or ""
        if why is not None:
            log.warning("nothing was deleted", extra={"why": why})
            return
        said = await self._expired()
        self._state.expired_at = self._context.clock.now()
        self._save()
        log.info("what is past its retention was deleted", extra={"pgbackrest": said})

    async def _expired(self) -> str:
        # Neither while a backup builds on what would go, nor while a restore reads it.
        async with self._lock("expiry") as own:
            context, database = self._context, self._stanza.settings.database
            key = keys.backup_lock(database)
            async with alone.held(context.consul, key, database, context.node, "expiry") as other:

                def tick() -> None:
                    own.check()
                    other.check()

                return await alone.watched(self._stanza.expire(dry_run=False), tick)

    def _lock(self, what: str) -> AbstractAsyncContextManager[HeldLock]:
        name, context = self._stanza.name, self._context
        key, subject = keys.physical_lock(name), f"the stanza {name}"
        return alone.held(context.consul, key, subject, context.node, what)

    # What the schedules go by

    def _last_full(self) -> datetime | None:
        """Return when the last full backup was begun: the repository knows, whoever took it."""
        return self._last_of({"full"})

    def _last_any(self) -> datetime | None:
        # Without a full one, which is due itself, there is nothing to differ from.
        return self._last_of({"full", "diff", "incr"}) or self._context.clock.now()

    def _last_of(self, kinds: Collection[str]) -> datetime | None:
        """Return when the last good backup was begun; one of the future says nothing."""
        repository = self._watch.repository
        known = repository.backups if repository else ()
        found = [one.started for one in known if one.kind in kinds and not one.error]
        return latest(found, self._context.clock.now())

    def _save(self) -> None:
        self._state.save(self._path)

    def status(self) -> dict[str, Any]:
        """Return what was done last and what comes next."""
        now = self._context.clock.now()
        newest = self._watch.repository.newest if self._watch.repository else None
        return {
            "problem": "; ".join(alarm.name for duty in self._duties for alarm in duty.problem),
            "done": self._done,
            "newest": None if newest is None else newest.label,
            "newest_at": None if newest is None else newest.stopped.isoformat(),
            "verified_at": _iso(self._state.verified_at),
            "expired_at": _iso(self._state.expired_at),
            "not_expired_because": self._expiry,
            "next": {
                duty.name: duty.schedule.due(duty.last(), now).isoformat() for duty in self._duties
            },
        }

    def metrics(self) -> Iterator[Any]:
        """Yield when the last good backup and the last good verification were."""
        from agents.physical.metrics import families

        yield from families(self._watch.repository, self._state.verified_at)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
