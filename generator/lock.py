"""One deployment at a time: a lock in Consul that its holder can't leave behind.

The lock is a key that belongs to a session with a TTL. The holder renews the session; when it dies
the session ends within twice the TTL, and the key goes with it. The key's value says who holds it.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from flowrex import keys
from flowrex.consul import ConsulClient, KVEntry
from flowrex.duration import ago
from flowrex.errors import FlowrexError, LockHeld, NotFound, ServerUnreachable

_SHORTEST_TTL_S = 10
_WAIT_STEP_S = 5.0
_FREED_S = 0.2


@dataclass(frozen=True)
class Holder:
    """Who holds the lock.

    Attributes:
        who: the user.
        host: the machine's name; containers may share it.
        pid: the process.
        since: when it took it.
        what: the verb and the environment.
        space: in which boot and which PID namespace the process has that number; empty where that
            is not known.
    """

    who: str
    host: str
    pid: int
    since: str
    what: str
    space: str = ""

    @classmethod
    def myself(cls, what: str) -> Holder:
        """Return this process as a holder.

        Args:
            what: what it is doing, for example `run prod`.
        """
        try:
            who = getpass.getuser()
        except (KeyError, OSError):
            who = str(os.getuid())  # a user without a name, as in a container
        now = datetime.now(UTC).isoformat(timespec="seconds")
        host = socket.gethostname()
        return cls(who, host, os.getpid(), since=now, what=what, space=_space())

    @property
    def here(self) -> bool:
        """Whether its process, if it is still there, is to be seen from this one."""
        return self.host == socket.gethostname() and bool(self.space) and self.space == _space()

    @property
    def gone(self) -> bool:
        """Whether it was a process that would be seen from here, and is not there any more."""
        if not self.here:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            pass  # somebody else's
        return False

    def __str__(self) -> str:
        try:
            held = datetime.now(UTC) - datetime.fromisoformat(self.since)
            age = f", for {ago(held.total_seconds())}"
        except (ValueError, TypeError):
            age = ""
        return f"{self.who}@{self.host} (process {self.pid}, `flowrexctl {self.what}`{age})"


def _space() -> str:
    """Return what tells this process' numbers from those of other machines and containers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except (OSError, ValueError):
        return ""


class LockLost(LockHeld):
    """The lock was taken away while it was held."""


def holder(consul: ConsulClient, environment: str) -> Holder | None:
    """Return who holds an environment's lock, or None."""
    return holder_of(consul.kv_get(keys.deploy_lock(environment)))


def holder_of(entry: KVEntry | None) -> Holder | None:
    """Return who holds a lock by its key's entry, or None."""
    if entry is None or not entry.session:
        return None
    try:
        return Holder(**json.loads(entry.value))
    except (ValueError, TypeError):
        return Holder("somebody", "unknown", 0, "", "unknown")


class HeldLock:
    """The lock while it is held; another thread renews it."""

    def __init__(self, consul: ConsulClient, key: str, session: str, ttl_s: int) -> None:
        self._consul, self._key, self._session, self._ttl_s = consul, key, session, ttl_s
        self._released = threading.Event()
        self._error: FlowrexError | None = None
        self._thread = threading.Thread(target=self._renew, name="lock-renewal", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise if the lock is not held any more.

        Raises:
            LockLost: its session ended, or somebody removed the key.
            ServerUnreachable: Consul has not answered for as long as the lock lives.
        """
        if self._error is not None:
            raise self._error

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._released.wait(self._ttl_s / 3):
            asked = time.monotonic()
            try:
                # The key first: when it is gone, the renewal tells whether its session is too.
                entry = self._consul.kv_get(self._key)
                self._consul.session_renew(self._session)
            except NotFound:
                self._error = _lost(self._key, "its session has ended in Consul")
                return
            except ServerUnreachable as error:
                if time.monotonic() - renewed >= self._ttl_s:
                    self._error = ServerUnreachable(
                        f"the lock could not be renewed for {self._ttl_s} s: {error.message}",
                        hint=_goes_on(self._key),
                    )
                    return
                continue
            if entry is None or entry.session != self._session:
                self._error = _lost(self._key, "somebody removed it")
                return
            renewed = asked

    def release(self) -> None:
        """Give the lock back; a Consul that does not answer lets it expire."""
        self._released.set()
        self._thread.join(timeout=self._ttl_s)
        with suppress(ServerUnreachable):
            self._consul.session_destroy(self._session)


def _environment(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _goes_on(key: str) -> str:
    return (
        "What Nomad has begun goes on without this run; look: "
        f"flowrexctl status {_environment(key)}"
    )


def _lost(key: str, why: str) -> LockLost:
    text = f"the deployment lock was lost: {why}; this run stops here"
    return LockLost(text, hint=_goes_on(key))


@contextmanager
def hold(
    consul: ConsulClient,
    environment: str,
    what: str,
    *,
    ttl_s: float,
    wait_s: float = 0.0,
    waiting: Callable[[Holder], None] = lambda _: None,
) -> Iterator[HeldLock]:
    """Hold an environment's lock for the length of a block.

    It is released when the block ends, however it ends: also on Ctrl-C and on SIGTERM or SIGHUP,
    which become a KeyboardInterrupt here. A killed process's lock expires.

    Args:
        consul: where the lock is.
        environment: whose lock.
        what: what the holder is doing, for those who find it held.
        ttl_s: seconds after which a dead holder's lock expires (Consul takes up to twice that).
        wait_s: seconds to wait for another holder.
        waiting: called once when there is another holder to wait for.

    Raises:
        LockHeld: somebody else holds it, and still does after `wait_s`.
    """
    key = keys.deploy_lock(environment)
    ttl = max(_SHORTEST_TTL_S, round(ttl_s))
    with _signals_interrupt():
        session = consul.session_create(
            f"flowrexctl {what}", ttl, behavior="delete", lock_delay_s=0
        )
        try:
            _acquire(consul, key, session, what, wait_s, waiting)
            held = HeldLock(consul, key, session, ttl)
        except BaseException:
            with suppress(ServerUnreachable):
                consul.session_destroy(session)
            raise
        try:
            yield held
        finally:
            held.release()


def _acquire(
    consul: ConsulClient,
    key: str,
    session: str,
    what: str,
    wait_s: float,
    waiting: Callable[[Holder], None],
) -> None:
    mine = json.dumps(asdict(Holder.myself(what)))
    end = time.monotonic() + wait_s
    told, index = False, 0
    while not consul.kv_put(key, mine, acquire=session):
        entry, index = consul.kv_wait(key, index, max(0.1, min(_WAIT_STEP_S, wait_s)))
        current = holder_of(entry)
        environment = _environment(key)
        if time.monotonic() >= end:
            raise LockHeld(
                f"{environment} is being changed by {current or 'somebody'}",
                hint=f"Wait for it with --lock-wait 5m, or look: flowrexctl status {environment}",
            )
        if current is None:
            time.sleep(_FREED_S)  # just freed, or not to be had yet
        elif not told:
            told = True
            waiting(current)
        # Waiting must not cost the session that is to hold the lock.
        consul.session_renew(session)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does; CI systems cancel with SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
