"""A gunicorn worker that stops without dropping a request."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from socket import socket
from types import FrameType
from typing import Any

from gunicorn.arbiter import Arbiter
from uvicorn.config import Config
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

from app.services import Services

_log = logging.getLogger("app.worker")

_LAST_WORD_S = 0.25


class DrainingServer(Server):
    """Serves on for a while after the signal to stop, then finishes what is in flight.

    1. On SIGTERM or SIGINT readiness turns false at once and every answer closes its connection.
    2. `drain_s` later, when nobody sends new requests any more, it stops accepting.
    3. Requests in flight get `graceful_s`; then they are cancelled.
    """

    def __init__(self, config: Config, services: Services, parent_pid: int) -> None:
        """Serve one worker's application.

        Args:
            config: uvicorn's.
            services: the application's parts; its drain and settings are used.
            parent_pid: the master; when it is gone, the worker drains as well.
        """
        super().__init__(config)
        self._services = services
        self._parent_pid = parent_pid
        self._announced = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; SIGQUIT, and a second SIGINT, end it at once."""
        # The base class raises the signal again after the end, and the worker would die of it
        # instead of leaving with 0: so nothing is recorded here.
        if sig == signal.SIGQUIT or (sig == signal.SIGINT and self._services.drain.active):
            self.should_exit = True
            self.force_exit = True
            return
        # Only the flag: this interrupts any line of the program, also one that holds the lock which
        # logging or the metrics would wait for.
        self._services.drain.begin(time.monotonic())

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether it is time to go."""
        if os.getppid() != self._parent_pid:
            self._services.drain.begin(time.monotonic())
        if self._services.drain.active:
            self._announce()
        if await super().on_tick(counter):
            return True
        drain_s = self._services.settings.drain_s
        return self._services.drain.over(time.monotonic(), drain_s)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Finish the requests in flight, within the bound."""
        # Where the worker was asked to leave by itself, the master goes on watching its heartbeat.
        heart = asyncio.create_task(self._beat())
        try:
            await self._close_the_door(sockets or [])
            await super().shutdown(sockets)
        finally:
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart

    async def _close_the_door(self, sockets: list[socket]) -> None:
        # Closing a listening socket resets the connections that the kernel has already made and
        # nobody has accepted; closing a connection at once resets the request that is on its way
        # in. So the queue is emptied first, and what came in last gets a moment to say its request.
        accepted = [connection for door in sockets for connection in _queued(door)]
        for server in self.servers:
            server.close()
        for door in sockets:
            door.close()
        loop = asyncio.get_running_loop()
        for connection in accepted:
            with suppress(OSError):
                await loop.connect_accepted_socket(self._protocol, connection)
        await asyncio.sleep(_LAST_WORD_S)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self._services.metrics.draining.set(1)
            _log.info("draining", extra={"seconds": self._services.settings.drain_s})

    async def _beat(self) -> None:
        while self.config.callback_notify is not None:
            await self.config.callback_notify()
            await asyncio.sleep(1)


class Worker(UvicornWorker):  # type: ignore[misc]
    """Joins gunicorn's supervision, uvicorn's serving and our draining."""

    CONFIG_KWARGS = {"loop": "auto", "http": "auto", "access_log": False}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The base class gives this logger gunicorn's handlers; ours all sit at the root.
        server_log = logging.getLogger("uvicorn.error")
        server_log.handlers = []
        server_log.propagate = True
        server_log.addFilter(_without_colours)

    async def _serve(self) -> None:
        services: Services = self.wsgi.state.services
        self.config.app = self.wsgi
        # uvicorn declares whole seconds and takes any number.
        self.config.timeout_graceful_shutdown = services.settings.graceful_s
        server = DrainingServer(self.config, services, self.ppid)
        signal.signal(signal.SIGQUIT, server.handle_exit)
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


def _queued(door: socket) -> Iterator[socket]:
    with suppress(OSError):  # nothing more is queued
        while True:
            connection, _ = door.accept()
            connection.setblocking(False)
            yield connection


def _without_colours(record: logging.LogRecord) -> bool:
    # uvicorn adds each message a second time, coloured for a terminal.
    record.__dict__.pop("color_message", None)
    return True
