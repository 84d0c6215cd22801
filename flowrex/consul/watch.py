"""Follow one key of Consul: a blocking query wakes, a fresh read tells.

The thread calls its owner after each round with a `Reading`, what the key says, or with `Missed`,
that it could not be read. Nothing that goes wrong ends it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flowrex.consul.model import KVEntry
from flowrex.errors import FlowrexError

_log = logging.getLogger("flowrex.consul.watch")

WAIT_S = 10.0
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
# A key that is not there wakes its watchers with every write to any key.
_IDLE_WAKES = 20
_IDLE_PAUSE_S = 0.025

Clock = Callable[[], float]


class Reader(Protocol):
    """What a watch needs of a Consul client."""

    def kv_get(self, key: str) -> KVEntry | None:
        """Return the key's entry, or None."""
        ...

    def kv_wait(self, key: str, index: int, wait_s: float) -> tuple[KVEntry | None, int]:
        """Wait until the key may have changed; return it and the index to wait from next."""
        ...


@dataclass(frozen=True)
class Reading:
    """What the key says.

    Attributes:
        entry: the key; None where there is no such key.
        index: the entry's modify index; without an entry that of the answer, 0 where Consul's
            index went backwards.
        at: when it was asked for, by the watch's clock, in seconds.
        changed: whether it is other than the reading before.
    """

    entry: KVEntry | None
    index: int
    at: float
    changed: bool


@dataclass(frozen=True)
class Missed:
    """The key could not be read.

    Attributes:
        since: the last reading's time by the watch's clock, in seconds; the watch's start where
            there was none.
        problem: why, in a sentence.
    """

    since: float
    problem: str


class KeyWatch:
    """A daemon thread that follows one key until it is stopped."""

    def __init__(
        self,
        connect: Callable[[], Reader],
        key: str,
        tell: Callable[[Reading | Missed], None],
        *,
        wait_s: float = WAIT_S,
        urgent: Callable[[KVEntry | None], bool] = lambda _: False,
        clock: Clock = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Prepare the thread; nothing is asked before `start`.

        Args:
            connect: returns the client to ask with; called for each round, so that a new token
                is taken up.
            key: the key.
            tell: called on the watch's thread after each round.
            wait_s: seconds for which Consul may hold a query. The client's timeout must exceed it
                by a sixteenth.
            urgent: whether a wake-up's own value is told before it is read afresh: where waiting
                for that costs more than acting on it once too often.
            clock: a monotonic clock, in seconds.
            jitter: a number from 0 to 1.
        """
        self._connect = connect
        self._key = key
        self._tell = tell
        self._wait_s = wait_s
        self._urgent = urgent
        self._clock = clock
        self._jitter = jitter
        self._index = 0
        self._last: Reading | None = None
        self._since = clock()
        self._failures = 0
        self._idle = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {key}", daemon=True)

    def start(self) -> None:
        """Begin to follow the key."""
        self._since = self._clock()
        self._thread.start()

    def stop(self, within_s: float = 1.0) -> bool:
        """Tell nothing more, and end the thread if it can be had.

        Args:
            within_s: seconds to wait for its end; a query that Consul holds is left to itself.

        Returns:
            Whether the thread has ended.
        """
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(within_s)
        return not self._thread.is_alive()

    def step(self) -> float:
        """Do one round.

        Returns:
            Seconds to pause before the next one.
        """
        try:
            reading = self._read()
        except FlowrexError as error:
            return self._failed(error.message)
        self._failures = 0
        self._tell_of(reading)
        if not self._index:
            # No index to wait from; it must not become a busy loop.
            return _FIRST_PAUSE_S
        self._idle = 0 if reading.changed else self._idle + 1
        return _IDLE_PAUSE_S if self._idle > _IDLE_WAKES else 0.0

    def _read(self) -> Reading:
        reader, asked = self._connect(), self._index
        began = at = self._clock()
        entry, index = reader.kv_wait(self._key, asked, self._wait_s)
        if asked and self._clock() - began >= self._wait_s:
            self._idle = 0
        if asked:
            # The query was the wake-up; what counts is read now. The index is taken over only
            # after that, so that a read which fails is woken again at once.
            if (self._last is None or entry != self._last.entry) and self._urgent(entry):
                self._tell_of(self._reading(entry, index, self._clock()))
            at = self._clock()
            entry = reader.kv_get(self._key)
        self._index = index
        return self._reading(entry, index, at)

    def _reading(self, entry: KVEntry | None, index: int, at: float) -> Reading:
        changed = self._last is None or entry != self._last.entry
        return Reading(entry, entry.modify_index if entry else index, at, changed)

    def _tell_of(self, reading: Reading) -> None:
        self._since = reading.at
        self._last = reading
        self._say(reading)

    def _failed(self, problem: str) -> float:
        # What was waited from may be another server's past.
        self._index = 0
        self._say(Missed(self._since, problem))
        pause = min(_FIRST_PAUSE_S * 2.0**self._failures, _LONGEST_PAUSE_S)
        self._failures = min(self._failures + 1, 16)
        return pause * (0.5 + self._jitter() / 2)

    def _say(self, told: Reading | Missed) -> None:
        if self._stopping.is_set():
            return
        try:
            self._tell(told)
        except Exception:  # noqa: BLE001 - an edge: the owner's bug must not end the watch
            _log.exception("what follows %s failed", self._key)

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                pause = self.step()
            except Exception as error:  # noqa: BLE001 - an edge: a watch that ended would be silent
                _log.exception("the watch of %s failed", self._key)
                pause = self._failed(f"the watch itself failed ({type(error).__name__})")
