"""The agent's process: it starts the tasks, watches them, reloads, and ends in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents import endpoint, local, metrics, reload, report, wiring
from agents.backoff import Backoff
from agents.clock import Clock
from agents.context import Context
from agents.credentials import keeper
from agents.credentials.clients import Clients
from agents.credentials.files import Files
from agents.publish import Publisher
from agents.settings import Agent, load
from agents.supervisor import Supervisor
from agents.systemd.notify import Notifier
from agents.task import Task
from agents.wake import STATUS, Wake
from flowrex.duration import seconds
from flowrex.errors import FlowrexError

log = logging.getLogger(__name__)

_TICK_S = 5.0


class Process:
    """One run of the agent."""

    def __init__(
        self,
        path: Path,
        *,
        settings: Agent,
        clock: Clock,
        notifier: Notifier,
        environ: Mapping[str, str],
    ) -> None:
        """Prepare everything; nothing is started yet.

        Args:
            path: the configuration's file, read again at a reload.
            settings: what it says.
            clock: tells the time.
            notifier: tells systemd.
            environ: where the credentials are.
        """
        self._path = path
        self._settings = settings
        self._clock = clock
        self._notifier = notifier
        self._node = settings.node or socket.gethostname()
        self._clients = Clients(settings, Files.of(environ, settings.credentials_dir), clock)
        self._wake = Wake(clock)
        self._supervisor = Supervisor(clock, _backoff(settings), changed=self._changed)
        self.about = report.Process(
            node=self._node,
            environment=settings.environment,
            started_at=clock.now(),
            configuration=report.Configuration(str(path), clock.now()),
        )
        self._core = (
            wiring.Part("credentials", ("vault",), self._keepers, _always),
            wiring.Part("status", ("status", "consul"), self._publishers, _always),
        )
        self._running: dict[str, list[str]] = {}
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._reloading = asyncio.Lock()

    async def serve(self) -> FlowrexError | None:
        """Run until told to stop.

        Returns:
            Why the agent could not go on; None where it was told to stop.

        Raises:
            ConfigurationError: it can't start.
        """
        self._clients.found.check()
        made = [(part.name, self._make(part, self._settings)) for part in self._parts()]
        pages = self._endpoint()
        port = await pages.start(self._settings.http.address, self._settings.http.port)
        try:
            local.publish(self._settings, port)
            self._listen_to_signals()
            for name, tasks in made:
                self._start(name, tasks, at_start=True)
            log.info("agent started", extra={"node": self._node, "config": str(self._path)})
            self._notifier.ready(self._sentence())
            return await self._watch()
        finally:
            await self._end()
            await pages.stop()

    def document(self) -> dict[str, Any]:
        """Return the status document."""
        return report.document(self.about, self._supervisor.document(), self._clock.now())

    def stop(self) -> None:
        """End in order."""
        self._stop.set()

    async def reload(self) -> None:
        """Read the configuration again, and take it whole or not at all."""
        async with self._reloading:
            self._notifier.reloading()
            about = self.about.configuration
            try:
                new = await asyncio.to_thread(load, self._path)
                reload.check(self._settings, new, str(self._path))
                await self._take(new)
            except Exception as raised:  # systemd waits for READY
                bug = not isinstance(raised, FlowrexError)
                error = raised if isinstance(raised, FlowrexError) else _bug(raised)
                about.problem = error.message
                log.error(
                    "configuration refused; the one before it stays in use",
                    extra={"error": error.message, "hint": error.hint},
                    exc_info=bug,
                )
            else:
                about.problem = ""
                about.loaded_at = self._clock.now()
                log.info("configuration taken", extra={"config": str(self._path)})
            about.attempts += 1
            self._changed()
            self._notifier.ready(self._sentence())

    async def _take(self, new: Agent) -> None:
        """Make the tasks of the parts that change, then put them in the place of the old ones."""
        old = self._settings
        # All are made before the first is stopped: one that can't be made changes nothing.
        made = [
            (part.name, self._make(part, new))
            for part in self._parts()
            if not part.unchanged(old, new)
        ]
        self._settings = new
        self._clients.use(new)
        self._supervisor.backoff = _backoff(new)
        logging.getLogger().setLevel(new.log_level.upper())
        self.about.environment = new.environment
        for name, tasks in made:
            late = await self._supervisor.stop(
                self._running.pop(name, ()), within_s=seconds(new.tasks.stop_within)
            )
            if late:
                # Beside one that still runs, another of its kind would do the same work twice.
                self._supervisor.give_up(
                    FlowrexError(f"{', '.join(late)} did not end for the new configuration")
                )
                return
            self._start(name, tasks, at_start=False)

    async def _watch(self) -> FlowrexError | None:
        """Feed the watchdog while every task gets on, until the end."""
        failed = asyncio.ensure_future(self._supervisor.failed())
        stopped = asyncio.ensure_future(self._stop.wait())
        # Often enough that one late tick does no harm.
        tick_s = min(_TICK_S, (self._notifier.watchdog_s or _TICK_S * 4) / 4)
        told = ""
        try:
            while True:
                if not self._supervisor.stuck():
                    self._notifier.alive()
                if (sentence := self._sentence()) != told:
                    self._notifier.status(sentence)
                    told = sentence
                done, _ = await asyncio.wait(
                    {failed, stopped}, timeout=tick_s, return_when=asyncio.FIRST_COMPLETED
                )
                if failed in done:
                    return failed.result()
                if stopped in done:
                    return None
        finally:
            failed.cancel()
            stopped.cancel()

    async def _end(self) -> None:
        self.about.state = "stopping"
        self._notifier.stopping("stopping")
        late = await self._supervisor.stop(within_s=seconds(self._settings.tasks.stop_within))
        self.about.state = "stopped"
        log.info("agent stopped", extra={"late": late})

    def _listen_to_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _reload_soon(self) -> None:
        # The handle is kept: the loop itself holds its tasks weakly.
        self._reload = self._loop.create_task(self.reload())

    def _parts(self) -> tuple[wiring.Part, ...]:
        return (*self._core, *wiring.PARTS)

    def _make(self, part: wiring.Part, settings: Agent) -> list[Task]:
        return part.make(self._context(settings)) if part.on(settings) else []

    def _start(self, name: str, tasks: list[Task], *, at_start: bool) -> None:
        self._supervisor.start(tasks, at_start=at_start)
        self._running[name] = [task.name for task in tasks]

    def _context(self, settings: Agent) -> Context:
        return Context(
            settings=settings,
            node=self._node,
            consul=self._clients.consul,
            vault=self._clients.vault,
            s3=self._clients.s3,
            changed=self._changed,
            refused=lambda: self._ring(keeper.BELL),
            clock=self._clock,
            wake=self._wake,
        )

    def _changed(self) -> None:
        self._ring(STATUS)

    def _ring(self, bell: str) -> None:
        """Ring from whatever thread."""
        self._loop.call_soon_threadsafe(self._wake.ring, bell)

    def _keepers(self, context: Context) -> list[Task]:
        return [keeper.Keeper(context, self._clients)]

    def _publishers(self, context: Context) -> list[Task]:
        return [Publisher(context, self.document)]

    def _endpoint(self) -> endpoint.Endpoint:
        collector = metrics.Collector(
            lambda: self._supervisor.tasks,
            self.about.started_at.timestamp(),
            self.about.environment,
        )
        registry = metrics.registry(collector)
        return endpoint.Endpoint(
            {
                "/health": self._health,
                "/live": self._live,
                "/metrics": lambda: endpoint.Answer(
                    200, metrics.text(registry), metrics.CONTENT_TYPE
                ),
                "/status": lambda: endpoint.as_json(self.document()),
            }
        )

    def _health(self) -> endpoint.Answer:
        said = self.document()
        broken = said["check"]["status"] == report.CRITICAL
        return endpoint.as_json(
            {"status": said["check"]["status"], "problems": said["problems"]},
            503 if broken else 200,
        )

    def _live(self) -> endpoint.Answer:
        """Answer as systemd's watchdog would judge, for whoever watches where there is none."""
        stuck = self._supervisor.stuck()
        return endpoint.as_json({"stuck": stuck}, 503 if stuck else 200)

    def _sentence(self) -> str:
        said = self.document()["check"]
        return str(said["output"])


def _bug(error: Exception) -> FlowrexError:
    return FlowrexError(
        f"this is a bug in flowrex-agent: {type(error).__name__}: {error}", hint="See its log."
    )


def _always(settings: Agent) -> bool:
    return True


def _backoff(settings: Agent) -> Backoff:
    return Backoff(seconds(settings.tasks.backoff), seconds(settings.tasks.backoff_max))
