"""Which worker acts: a lock in Consul, held by a session that ends with its holder.

A lock alone is not enough: a process that was stopped for a while still believes that it holds it.
So leadership here ends by this process's own clock, before Consul could give the lock away, and the
database has a fence besides (`app.store.flatten`).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from flowrex import keys
from flowrex.errors import FlowrexError, NotFound

_log = logging.getLogger("app.workers.lead")

# The shortest that Consul allows; it may take twice as long until a dead worker's lock is free.
TTL_S = 10
_RENEW_S = 3.0

Clock = Callable[[], float]


class Locks(Protocol):
    """What leadership needs of a Consul client."""

    def session_create(self, name: str, ttl_s: int) -> str:
        """Open a session."""
        ...

    def session_renew(self, session_id: str) -> None:
        """Start a session's time again."""
        ...

    def session_destroy(self, session_id: str) -> None:
        """End a session."""
        ...

    def kv_put(self, key: str, value: str, *, acquire: str | None = None) -> bool:
        """Write a key and lock it."""
        ...


class Lead:
    """A daemon thread that tries to lead, and keeps it up."""

    def __init__(
        self,
        connect: Callable[[], Locks],
        name: str,
        *,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        pause_s: float = _RENEW_S,
    ) -> None:
        """Prepare the thread; nothing is asked before `start`.

        Args:
            connect: gives the client to ask with.
            name: of this worker, as the lock's value shows it.
            clock: a monotonic clock, in seconds.
            wall: POSIX time, in seconds.
            pause_s: seconds between two rounds.
        """
        self._connect = connect
        self._name = name
        self._clock = clock
        self._pause_s = pause_s
        self._since = wall()
        self._session: str | None = None
        self._until = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lead", daemon=True)

    @property
    def held(self) -> bool:
        """Whether this worker may act now."""
        return self._clock() < self._until

    def start(self) -> None:
        """Begin to try."""
        self._thread.start()

    def stop(self, within_s: float = 2.0) -> None:
        """Give the lock back, so that another worker goes on at once.

        Args:
            within_s: seconds to wait for the thread.
        """
        self._stopping.set()
        self._until = float("-inf")
        if self._thread.is_alive():
            self._thread.join(within_s)
        if self._session is not None:
            try:
                self._connect().session_destroy(self._session)
            except FlowrexError as error:
                _log.warning("the lock is left to its time: %s", error.message)

    def step(self) -> None:
        """Do one round: renew the session, and take the lock if it is free or ours."""
        before = self.held
        try:
            # Counted from before the question: Consul may have got it at once.
            asked = self._clock()
            client = self._connect()
            if self._session is not None:
                client.session_renew(self._session)
            else:
                self._session = client.session_create("flowrex flatten", TTL_S)
            held = client.kv_put(keys.flatten_lock(), self._value(), acquire=self._session)
        except FlowrexError as error:
            if isinstance(error, NotFound) or "invalid session" in error.message:
                # It has ended, and with it what it held.
                self._session, self._until = None, float("-inf")
            # Else Consul is away, and what is held is held until its time is over.
            _log.warning("the workers' lock can't be renewed: %s", error.message)
        else:
            self._until = asked + TTL_S if held and not self._stopping.is_set() else float("-inf")
        if self.held != before:
            _log.info("leads" if self.held else "does not lead")

    def _value(self) -> str:
        return json.dumps({"holder": self._name, "since": self._since})

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.step()
            except Exception:  # noqa: BLE001 - an edge: a thread that ended would never lead again
                _log.exception("a round of the workers' lock failed")
            self._stopping.wait(self._pause_s)
