"""Make one server run and be ready, leaving it alone where it is both already."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from flowrex.errors import ServerUnreachable
from generator.dev import leftovers, proc, process
from generator.dev.fleet import Problem, Server, stop_signal
from generator.dev.layout import MARKER
from generator.dev.state import ClusterState, ServerRecord

_POLL_S = 0.1
_KEPT_S = 6.0
_TAIL = 12


class Cancelled(Exception):
    """Another server failed, or the person pressed Ctrl-C: stop waiting."""


@dataclass(frozen=True)
class Started:
    """What was done for a server.

    Attributes:
        name: the server.
        action: `kept`, `started` or `restarted`.
        seconds: how long it took to be ready.
    """

    name: str
    action: str
    seconds: float


class Supervisor:
    """Starts servers, several at a time if need be."""

    def __init__(self, state: ClusterState, tell: Callable[[str], None]) -> None:
        """Remember the cluster.

        Args:
            state: the cluster's record, which is kept up to date.
            tell: is told what is happening, in a few words.
        """
        self.state = state
        self.tell = tell
        self.cancelled = threading.Event()
        self.done: list[Started] = []

    def ensure(self, server: Server) -> Started:
        """Make a server run and be ready.

        Raises:
            ServerUnreachable: it does not get ready.
            Cancelled: somebody asked to stop.
        """
        begin = time.monotonic()
        action = self._ensure(server)
        started = Started(server.name, action, round(time.monotonic() - begin, 2))
        self.done.append(started)
        if action != "kept":
            self.tell(f"{server.name} is ready ({started.seconds:.1f} s)")
        return started

    def _ensure(self, server: Server) -> str:
        record = self.state.servers.get(server.name)
        if record is not None and process.alive(record.identity):
            server.prepare()
            if record.fingerprint == server.fingerprint(server.command()) and self._kept(
                server, record
            ):
                return "kept"
            self.tell(f"stopping {server.name}, to start it again")
            process.stop(record.identity, first=stop_signal(server.name))
        self._start(server)
        try:
            self._ready(server, server.ready_s, server.settle_s)
        except ServerUnreachable:
            # Once more, after what may help: a replica that can't follow is copied afresh.
            self._stop(server)
            server.again()
            self._start(server)
            self._ready(server, server.ready_s)
        return "started" if record is None else "restarted"

    def _kept(self, server: Server, record: ServerRecord) -> bool:
        if server.problem() is None:
            return True
        try:
            self._ready(server, _KEPT_S)
        except ServerUnreachable:
            return False
        return process.alive(record.identity)

    def _stop(self, server: Server) -> None:
        if record := self.state.servers.get(server.name):
            process.stop(record.identity, first=stop_signal(server.name))
            self.state.stopped(server.name)

    def _start(self, server: Server) -> None:
        if self.cancelled.is_set():
            raise Cancelled
        layout = self.state.layout
        if not server.tasks:
            # What a killed server left (PostgreSQL's workers) would be in its own way.
            home = layout.data(server.name)
            leftovers.end(layout, grace_s=3, inside=home)
            if not leftovers.processes(layout, inside=home):
                server.clear()
        self.tell(f"starting {server.name}")
        server.prepare()
        command = server.command()
        log = layout.log(server.name)
        identity = process.spawn(command, log=log, marker=(MARKER, str(layout.root)))
        self.state.started(
            ServerRecord(
                name=server.name,
                identity=identity,
                port=server.port,
                version=server.version,
                started_at=time.time(),
                fingerprint=server.fingerprint(command),
            )
        )

    def _ready(self, server: Server, within_s: float, settle_s: float | None = None) -> None:
        deadline = time.monotonic() + within_s
        if server.reachable is not None:
            self._wait(server, server.reachable, deadline)
        server.open_up()
        if settle_s is not None:
            deadline = min(deadline, time.monotonic() + settle_s)
        self._wait(server, server.problem, deadline)

    def _wait(self, server: Server, problem: Problem, deadline: float) -> None:
        record = self.state.servers[server.name]
        while (why := problem()) is not None:
            if self.cancelled.is_set():
                raise Cancelled
            ended = not process.alive(record.identity)
            if ended or time.monotonic() >= deadline:
                raise self._failure(server, "it ended" if ended else why)
            time.sleep(_POLL_S)

    def _failure(self, server: Server, why: str) -> ServerUnreachable:
        log = self.state.layout.log(server.name)
        lines = tail(log.read_text(errors="replace") if log.exists() else "", _TAIL)
        said = "\n".join(f"  {line}" for line in lines)
        return ServerUnreachable(
            f"{server.name} did not get ready: {why}\n{said}",
            hint=f"Its log is {log}. `flowrexctl dev up` tries again.",
        )


def tail(text: str, count: int) -> list[str]:
    """Return a text's last lines, each cut to a width that a terminal shows."""
    return [line[:300] for line in text.splitlines()[-count:]]


def ended_since(record: ServerRecord) -> str:
    """Say in a few words why a recorded server does not run."""
    if record.identity.boot_id != proc.boot_id():
        return "the machine was started again since"
    return "it was killed, or it crashed"
