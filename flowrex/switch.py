"""The kill switch as one process knows it: the last reading, how old it is, and what follows.

    a reading                         that level, at once
    Consul out of reach               the last level; after the grace time at least `halt`
    nothing was ever read             `halt` at once: there is no last level to keep
    a lower level under an older      not believed, unless somebody wrote it after the higher one:
    index of Consul                   a Consul that lost its data must not end an emergency
    no key any more                   ends none either: it looks the same, and nobody has said so

The last reading is kept in a file, so that a restart without Consul forgets nothing.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowrex import keys
from flowrex.consul.model import KVEntry
from flowrex.consul.watch import Missed, Reading
from flowrex.emergency import Emergency, Level, parse
from flowrex.files import write_atomic

_log = logging.getLogger("flowrex.switch")

GRACE_S = 30.0
_LEVELS = {level.word: level for level in Level}
GONE = (
    f"the key {keys.EMERGENCY} is gone, and nobody has said that the emergency is over; "
    "`flowrexctl emergency off` does"
)
_NEVER_READ = "the emergency switch was never read"

Clock = Callable[[], float]


@dataclass(frozen=True)
class Known:
    """The last reading that was believed.

    Attributes:
        emergency: what it said.
        index: Consul's index of it.
        confirmed: when it was read last, by the process's monotonic clock, in seconds.
        since: when this level began to hold here, as a POSIX time in seconds.
        written: whether there was such a key.
    """

    emergency: Emergency
    index: int
    confirmed: float
    since: float
    written: bool = True


@dataclass(frozen=True)
class State:
    """What the process has to do now.

    Attributes:
        level: what is stopped: the last level, and at least `halt` while nothing is known.
        emergency: what the key said when it was read last.
        index: Consul's index of that; 0 where nothing was read.
        unknown: whether the grace time is over, or nothing was ever read.
        unknown_s: seconds since the last reading; 0 while Consul answers.
        why: in a sentence, why the level is what it is; empty for normal.
        written: whether somebody has said so; an absent key is normal and ends no emergency.
    """

    level: Level
    emergency: Emergency
    index: int
    unknown: bool
    unknown_s: float
    why: str
    written: bool = False

    def as_document(self) -> dict[str, Any]:
        """Return what health paths and answers show."""
        return {
            "level": self.level.word,
            "why": self.why,
            "reason": self.emergency.reason,
            "by": self.emergency.by,
            "at": self.emergency.at,
            "index": self.index,
            "unknown": self.unknown,
            "unknown_seconds": round(self.unknown_s, 1),
            "problem": self.emergency.problem,
        }


def decide(
    known: Known | None, problem: str, *, now: float, started: float, grace_s: float
) -> State:
    """Return what holds now. Pure.

    Args:
        known: the last reading; None where there was none.
        problem: why the last attempt to read failed; empty where it did not.
        now: the monotonic clock, in seconds.
        started: when the process began to read, by the same clock.
        grace_s: seconds without a reading for which the last level alone holds.
    """
    if known is None:
        why = f"{_NEVER_READ}: {problem}" if problem else f"{_NEVER_READ} yet"
        return State(Level.HALT, Emergency(), 0, True, max(now - started, 0.0), why)
    age = max(now - known.confirmed, 0.0)
    unknown = age > grace_s
    # A watch that hangs reports no problem; its age tells.
    unknown_s = age if problem or unknown else 0.0
    level, why = known.emergency.level, _why(known.emergency)
    if unknown and level < Level.HALT:
        level = Level.HALT
        why = f"the emergency switch could not be read for {age:.0f} s: {problem or 'no answer'}"
    return State(level, known.emergency, known.index, unknown, unknown_s, why, known.written)


def doubt(known: Known | None, said: Emergency, index: int, *, explicit: bool) -> str:
    """Return why a reading is not believed; empty where it is. Pure.

    Args:
        known: the last reading that was believed.
        said: what the key says now.
        index: Consul's index of it.
        explicit: whether there is such a key at all.
    """
    if known is None or said.level >= known.emergency.level:
        return ""
    if not explicit:
        # A restored Consul counts on: no index tells its loss from a deletion.
        return GONE
    if index >= known.index or (moment(said.at) or 0.0) > known.since:
        return ""
    return (
        f"Consul's index went back from {known.index} to {index}: its data may be older than the "
        "emergency, so that does not end it; `flowrexctl emergency off` does"
    )


def moment(text: str) -> float | None:
    """Return an ISO 8601 time as POSIX seconds, UTC where it has no zone; None where it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


class Switch:
    """The state that a process shares between its watch, which tells, and its work, which asks."""

    def __init__(
        self,
        *,
        grace_s: float = GRACE_S,
        file: Path | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        """Take up what an earlier process left.

        Args:
            grace_s: seconds without a reading after which new risk is refused.
            file: where the last reading is kept; its folder must exist. None keeps nothing.
            clock: a monotonic clock, in seconds.
            wall: POSIX time, in seconds.
        """
        self._grace_s = grace_s
        self._file = file
        self._clock = clock
        self._wall = wall
        self._started = clock()
        self._taking = threading.Lock()
        self._problem = ""
        self._kept_at = float("-inf")
        self._known = self._load()

    def state(self) -> State:
        """Return what holds now; cheap, and safe in any thread."""
        known, problem = self._known, self._problem
        return decide(
            known, problem, now=self._clock(), started=self._started, grace_s=self._grace_s
        )

    def take(self, told: Reading | Missed) -> bool:
        """Take up what the watch tells.

        Args:
            told: a reading, or why there is none.

        Returns:
            Whether the key says something else than before; False for a reading that is not
            believed, and while Consul is away.
        """
        with self._taking:
            if isinstance(told, Missed):
                self._report(told.problem)
                return False
            return self._take(told.entry, told.index, told.at)

    def _take(self, entry: KVEntry | None, index: int, at: float) -> bool:
        said = parse(entry.value if entry else None)
        known = self._known
        if problem := doubt(known, said, index, explicit=entry is not None):
            self._report(problem)
            return False
        same_level = known is not None and known.emergency.level is said.level
        since = known.since if known is not None and same_level else self._wall()
        # Without a key the index moves with every write to any other key.
        changed = (
            known is None or known.emergency != said or (entry is not None and known.index != index)
        )
        # In force from here on; the file comes after.
        self._known = Known(said, index, at, since, entry is not None)
        self._problem = ""
        if changed and said.problem:
            _log.error("the emergency switch counts as halt: %s", said.problem)
        if changed or at - self._kept_at > self._grace_s / 3:
            self._keep(self._known)
        return changed

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("the emergency switch is not known: %s", problem)
        self._problem = problem

    def _keep(self, known: Known) -> None:
        self._kept_at = known.confirmed
        if self._file is None:
            return
        emergency = known.emergency
        document = {
            "level": emergency.level.word,
            "reason": emergency.reason,
            "by": emergency.by,
            "at": emergency.at,
            "problem": emergency.problem,
            "index": known.index,
            "since": known.since,
            "written": known.written,
            "read_at": self._wall() - (self._clock() - known.confirmed),
        }
        try:
            write_atomic(self._file, json.dumps(document))
        except OSError as error:
            _log.error("can't keep the emergency switch's state in %s: %s", self._file, error)

    def _load(self) -> Known | None:
        if self._file is None:
            return None
        try:
            document = json.loads(self._file.read_bytes())
            return _kept(document, self._clock(), self._wall(), self._grace_s)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            _log.error("%s is no kept state of the emergency switch (%s)", self._file, error)
            return None


def _kept(document: dict[str, Any], now: float, wall: float, grace_s: float) -> Known:
    level = _LEVELS[document["level"]]
    texts = {name: str(document[name]) for name in ("reason", "by", "at", "problem")}
    age = wall - float(document["read_at"])
    # A file of the future was written under another clock: it is taken for too old.
    confirmed = now - (age if age >= 0 else grace_s + 1)
    return Known(
        Emergency(level, **texts),
        int(document["index"]),
        confirmed,
        float(document["since"]),
        document.get("written") is True,
    )


def _why(emergency: Emergency) -> str:
    if not emergency.active:
        return ""
    by = f" by {emergency.by}" if emergency.by else ""
    said = f": {emergency.reason}" if emergency.reason else ""
    unread = f" (the key can't be read: {emergency.problem})" if emergency.problem else ""
    return f"emergency level {emergency.level.word} is on{by}{said}{unread}"
