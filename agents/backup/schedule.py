"""When the next run is due: cron expressions in a time zone, spread by jitter, missed runs once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agents.settings import checks
from flowrex.errors import ConfigurationError

# A clock that is so far behind the last run was put right, or is wrong; either way the last run
# says nothing of the next any more.
_FUTURE = timedelta(minutes=5)
# After a failure the next try waits twice as long each time, from this to that.
AGAIN = timedelta(minutes=2)
_AGAIN_MOST = timedelta(hours=1)


@dataclass(frozen=True)
class Schedule:
    """One schedule.

    Attributes:
        cron: five fields, as cron has them.
        zone: the time zone that they are meant in.
        jitter: the most by which a run is late, so that not all nodes begin at once.
        seed: what the lateness comes from; the same each time for one node and thing.
    """

    cron: str
    zone: str = "UTC"
    jitter: timedelta = timedelta(0)
    seed: str = ""

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ConfigurationError: it is no cron expression, or there is no such time zone.
        """
        for check, text in ((checks.zone, self.zone), (checks.cron, self.cron)):
            try:
                check(text)
            except ValueError as error:
                raise ConfigurationError(f"{text!r} is {error}") from error

    @property
    def lateness(self) -> timedelta:
        """How late this node's runs are."""
        digest = hashlib.sha256(self.seed.encode()).digest()
        return self.jitter * (int.from_bytes(digest[:4], "big") / 2**32)

    def after(self, moment: datetime) -> datetime:
        """Return the first run after a moment, with its lateness, in the zone."""
        # Lateness is taken off first, or a run that is due between the two would be left out.
        return _next(self.cron, self.zone, moment - self.lateness) + self.lateness

    def due(self, last: datetime | None, now: datetime) -> datetime:
        """Return when to run: a moment in the past where a run was missed.

        However many were missed, it is one run that is due.

        Args:
            last: when the last run began. None, or a time of the future, makes one due at once.
            now: the time.
        """
        if last is None or last > now + _FUTURE:
            return now
        return self.after(last)


@lru_cache(maxsize=64)
def _next(cron: str, zone: str, moment: datetime) -> datetime:
    # Each status tells when the next run is, and asks of the same last one until there is another.
    return next(CronSim(cron, moment.astimezone(ZoneInfo(zone))))


def latest(runs: Iterable[datetime], now: datetime) -> datetime | None:
    """Return the last run, or None where there was none.

    Those of the future are of a clock that was put right since; the next would wait for them.

    Args:
        runs: when each began.
        now: the time.
    """
    return max((one for one in runs if one <= now + _FUTURE), default=None)


def pause(failures: int) -> timedelta:
    """Return how long the next try waits after so many failures in a row, at least one."""
    tries: int = 2 ** (failures - 1)
    return min(AGAIN * tries, _AGAIN_MOST)


def waits(not_before: datetime | None, now: datetime) -> bool:
    """Tell whether the next try has to wait.

    A pause that is longer than any is of a clock that was put right since.

    Args:
        not_before: until when; None where there is no pause.
        now: the time.
    """
    return not_before is not None and now < not_before <= now + _AGAIN_MOST
