"""One node at a time: a lock in Consul that its holder can't leave behind.

The session lives by its TTL only, so it outlives a blip of the network or of a node's health. While
Consul does not answer, the holder goes on for as long as nobody else can have the lock.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from flowrex.consul import ConsulClient
from flowrex.errors import FlowrexError, LockHeld, NotFound, ServerUnreachable

TTL_S = 30
# After so long a lock that a death left behind is gone: twice the time to live, and some more.
DEAD_S = 2.5 * TTL_S
_AGAIN_S = 1.0

Clock = Callable[[], float]


class LockLost(LockHeld):
    """Another node may have the lock by now."""


class HeldLock:
    """The lock while it is held; a thread renews its session."""

    def __init__(
        self,
        consul: Callable[[], ConsulClient],
        key: str,
        session: str,
        ttl_s: float,
        asked: float,
        clock: Clock = time.monotonic,
    ) -> None:
        self._consul, self._key, self._session, self._ttl_s = consul, key, session, ttl_s
        self._clock = clock
        # Counted from before each question: Consul may have got it at once.
        self._until = asked + ttl_s
        self._released = threading.Event()
        self._error: FlowrexError | None = None
        self._thread = threading.Thread(target=self._renew, name="lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise where another node may hold the lock.

        Raises:
            LockLost: its session ended, or may have: a process that stood still does not know.
        """
        if self._error is not None:
            raise self._error
        if self._clock() >= self._until:
            raise _lost(self._key, f"it was not renewed for {self._ttl_s:.0f} s")

    def checked(self, tick: Callable[[], None]) -> Callable[[], None]:
        """Return a tick that checks the lock, then calls another.

        Args:
            tick: what is called beside.
        """

        def both() -> None:
            self.check()
            tick()

        return both

    def release(self) -> None:
        """Give the lock back; where Consul does not answer it expires."""
        self._released.set()
        self._thread.join(timeout=self._ttl_s)
        with suppress(ServerUnreachable):
            self._consul().session_destroy(self._session)

    def _renew(self) -> None:
        while not self._released.wait(self._ttl_s / 3):
            asked = self._clock()
            try:
                self._consul().session_renew(self._session)
                entry = self._consul().kv_get(self._key)
            except NotFound:
                self._error = _lost(self._key, "its session has ended in Consul")
                return
            except ServerUnreachable as error:
                # Consul ends a session no sooner than its TTL after the last renewal.
                if self._clock() >= self._until:
                    self._error = _lost(
                        self._key,
                        f"it could not be renewed for {self._ttl_s:.0f} s: {error.message}",
                    )
                    return
                continue
            if entry is None or entry.session != self._session:
                self._error = _lost(self._key, "somebody removed it")
                return
            self._until = asked + self._ttl_s


def _lost(key: str, why: str) -> LockLost:
    return LockLost(
        f"the lock {key} was lost: {why}",
        hint="Another node may be at it now; the next run does it again.",
    )


@contextmanager
def hold(
    consul: Callable[[], ConsulClient],
    key: str,
    subject: str,
    node: str,
    what: str,
    *,
    ttl_s: int = TTL_S,
    wait_s: float = 0.0,
    waiting: Callable[[str], None] = lambda holder: None,
    clock: Clock = time.monotonic,
) -> Iterator[HeldLock]:
    """Hold a lock for the length of a block.

    Args:
        consul: gives the client.
        key: the lock, one of those in `flowrex.keys`.
        subject: what it is of, for those who find it held.
        node: who takes it.
        what: what for, for those who find it held.
        ttl_s: seconds after which a dead holder's lock expires (Consul takes up to twice that).
        wait_s: seconds for which one that is held is waited for; `DEAD_S` outlives a dead holder's.
        waiting: told once who holds it.
        clock: a monotonic clock, in seconds.

    Raises:
        LockHeld: another node holds it.
        ServerUnreachable: Consul is away.
    """
    client, asked = consul(), clock()
    session = client.session_create(f"flowrex-agent {what}", ttl_s, behavior="delete")
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        mine = json.dumps({"node": node, "what": what, "since": since})
        asked = _acquire(client, key, mine, session, subject, wait_s, waiting, clock) or asked
        held = HeldLock(consul, key, session, ttl_s, asked, clock)
    except BaseException:
        with suppress(ServerUnreachable):
            client.session_destroy(session)
        raise
    try:
        yield held
    finally:
        held.release()


def _acquire(
    client: ConsulClient,
    key: str,
    mine: str,
    session: str,
    subject: str,
    wait_s: float,
    waiting: Callable[[str], None],
    clock: Clock,
) -> float | None:
    """Take the lock; return when the session was renewed last, None where that was not needed."""
    until, told, asked = clock() + wait_s, False, None
    while not client.kv_put(key, mine, acquire=session):
        holder = _holder(client, key)
        if clock() >= until:
            raise LockHeld(f"{subject} is being worked on: {holder}")
        if not told:
            waiting(f"waiting for {holder}")
            told = True
        time.sleep(_AGAIN_S)
        # Nothing else renews it before it holds the lock.
        asked = clock()
        client.session_renew(session)
    return asked


def _holder(client: ConsulClient, key: str) -> str:
    entry = client.kv_get(key)
    try:
        found = json.loads(entry.value) if entry else {}
        return f"{found['what']} on {found['node']} since {found['since']}"
    except (ValueError, KeyError, TypeError):
        return "by another agent"
