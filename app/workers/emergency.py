"""`python -m app.workers.emergency`: the worker that acts in an emergency.

Each worker keeps the database's lock as the switch says; the one that leads cancels and closes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

from app.audit.file import AuditFile
from app.audit.trail import Trail
from app.brokers.paper import PaperBroker
from app.consul import Connector
from app.emergency import EmergencyWatch
from app.folders import prepare_folders
from app.metrics import Metrics
from app.store import emergency
from app.store.emergency import Locked, Outdated
from app.store.flatten import FlattenStore
from app.store.pool import Database
from app.store.read import read
from app.store.write import transaction
from app.workers.flatten import Flatten
from app.workers.http import Pulse, serve
from app.workers.journal import Journal
from app.workers.lead import Lead
from app.workers.settings import WorkerSettings, load
from flowrex import log
from flowrex.emergency import Level
from flowrex.errors import ConfigurationError, FlowrexError
from flowrex.switch import State, Switch

_log = logging.getLogger("app.workers.emergency")

_TICK_S = 1.0


class Worker:
    """Follows the switch, and acts where it leads."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Wire the parts; nothing is connected before `run`.

        Args:
            settings: what it was told.
        """
        consul = settings.consul
        self._name = f"{consul.instance[:8]}-{os.getpid()}"
        self._settings = settings
        self.metrics = Metrics(settings.release, settings.environment)
        self.pulse = Pulse()
        self._switch = Switch(grace_s=consul.grace_s, file=consul.state_dir / "emergency.json")
        self._database = Database(
            settings.database, self.metrics, application_name=f"flowrex-worker/{settings.release}"
        )
        name = f"worker-{os.getpid()}-{time.time_ns()}"
        self._trail = Trail(AuditFile(settings.audit_dir, name), self.metrics)
        self.flatten = Flatten(
            FlattenStore(self._database, Journal(self._trail)),
            PaperBroker(),
            self.metrics,
            f"worker/{self._name}",
        )
        self._lead = Lead(Connector(consul.address, consul.token_file), self._name)
        self._watch = EmergencyWatch(
            self._switch,
            self.metrics,
            watching=Connector(consul.address, consul.token_file),
            telling=Connector(consul.address, consul.token_file),
            on_change=self._changed,
            kind="worker",
            instance=consul.instance[:8],
            node=consul.node,
            release=settings.release,
            grace_s=consul.grace_s,
        )
        self._told = ""
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()

    def status(self) -> dict[str, Any]:
        """Return what health shows."""
        return {"leads": self._lead.held, "emergency": self._switch.state().as_document()}

    def stop(self) -> None:
        """Ask it to end after the step at hand."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until it is asked to stop."""
        await self._database.start()
        await self._watch.start()
        self._lead.start()
        try:
            while not self._stopping.is_set():
                try:
                    await self._round()
                except FlowrexError as error:
                    _log.warning("tried again in a moment: %s", error.message)
                self.pulse.beat()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TICK_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            await asyncio.to_thread(self._lead.stop)
            await self._watch.stop()
            await self._database.stop()
            await asyncio.to_thread(self._trail.close)

    async def _changed(self, state: State) -> None:
        await self._keep_lock(state)
        self._wake.set()

    async def _round(self) -> None:
        state = self._switch.state()
        if state.index == 0 and state.unknown:
            return  # nothing was ever read: nothing to go by
        locked = await self._keep_lock(state)
        if not self._lead.held:
            return
        await self.flatten.call_off(locked)
        if locked.level >= Level.CANCEL and state.emergency.level == locked.level:
            await self.flatten.proceed(locked, lambda: self._may_act(locked))

    def _may_act(self, locked: Locked) -> bool:
        # A run may take long where the broker refuses; that is no standstill.
        self.pulse.beat()
        state = self._switch.state()
        return (
            self._lead.held
            and not self._stopping.is_set()
            and state.emergency.level == locked.level
            and state.index <= locked.index
        )

    async def _keep_lock(self, state: State) -> Locked:
        """Make the database's lock say what the key says; return what it says."""
        async with transaction(self._database) as connection:
            locked = await emergency.locked(connection)
            if state.emergency.level >= locked.level:
                await emergency.raise_to(connection, state, f"worker/{self._name}")
            elif not state.unknown:
                try:
                    await emergency.lower_to(connection, state, f"worker/{self._name}")
                except Outdated as error:
                    self._tell_once(
                        f"the database stays at level {locked.level.word}: {error.message}"
                    )
        return await read(self._database, emergency.locked)

    def _tell_once(self, problem: str) -> None:
        # It is tried every second, and may be so for days.
        if problem != self._told:
            _log.error("%s", problem)
        self._told = problem


async def _work(settings: WorkerSettings) -> None:
    worker = Worker(settings)
    try:
        server = serve(
            settings.host, settings.port, worker.pulse, worker.status, worker.metrics.exposition
        )
    except OSError as error:
        raise ConfigurationError(
            f"FLOWREX_LISTEN names {settings.host}:{settings.port}, where nobody can listen: "
            f"{error.strerror}"
        ) from error
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    finally:
        server.shutdown()


def main() -> None:
    """Read the environment and work."""
    try:
        settings = load(os.environ)
        prepare_folders(settings.consul.state_dir, settings.audit_dir)
        log.configure(
            settings.log_level,
            service="flowrex-worker",
            environment=settings.environment,
            release=settings.release,
        )
        asyncio.run(_work(settings))
    except FlowrexError as error:
        sys.stderr.write(f"{error.as_text()}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
