"""One process's part in an emergency: follow the switch, raise the database's lock, acknowledge."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from app import essential
from app.metrics import Metrics
from flowrex import keys
from flowrex.acknowledgement import acknowledge
from flowrex.consul import ConsulClient
from flowrex.consul.model import KVEntry
from flowrex.consul.watch import WAIT_S, KeyWatch, Missed, Reading
from flowrex.emergency import parse
from flowrex.errors import FlowrexError
from flowrex.switch import State, Switch

_log = logging.getLogger("app.emergency")

_TICK_S = 1.0
_TURN_S = 0.001
_FIRST_READING_S = 2.0

Connect = Callable[[], ConsulClient]


class EmergencyWatch:
    """Keeps one process's switch up to date, and tells the world that it is."""

    def __init__(
        self,
        switch: Switch,
        metrics: Metrics,
        *,
        watching: Connect,
        telling: Connect,
        on_change: Callable[[State], Awaitable[None]],
        kind: str,
        instance: str,
        node: str,
        release: str,
        grace_s: float,
        processes: int = 1,
    ) -> None:
        """Prepare; nothing is asked before `start`.

        Args:
            switch: the state to keep up to date.
            metrics: where level and unknown time are shown.
            watching: gives the client of the watch's thread.
            telling: gives another client, for acknowledgements.
            on_change: called after each change of the key, until it returns: raises the database.
            kind: of process, in the acknowledgement's key.
            instance: the allocation, likewise; the process's number comes behind it.
            node: where it runs.
            release: its version.
            grace_s: the switch's grace time, in seconds; the key is read at least thrice in it.
            processes: how many processes of the instance follow the switch.
        """
        self._switch = switch
        self._metrics = metrics
        self._telling = telling
        self._on_change = on_change
        self._siblings = keys.acknowledgement(kind, f"{instance}-")
        self._key = f"{self._siblings}{os.getpid()}"
        self._swept = False
        self._node = node
        self._release = release
        self._processes = processes
        self._changed = asyncio.Event()
        self._first = asyncio.Event()
        self._pending: State | None = None
        self._acknowledged: tuple[int, str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._watch = KeyWatch(
            watching,
            keys.EMERGENCY,
            self._told,
            wait_s=min(WAIT_S, grace_s / 3),
            urgent=self._raises,
        )

    async def start(self) -> None:
        """Begin to follow the switch; wait a little for its first reading."""
        self._loop = asyncio.get_running_loop()
        # The watch's thread waits at most so long for its turn behind the requests.
        sys.setswitchinterval(_TURN_S)
        self._watch.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_READING_S):
                await self._first.wait()
        self._show()
        self._task = essential.start(self._follow(), "following the emergency switch")

    async def stop(self) -> None:
        """End, bounded in time, and take the acknowledgement back."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self._watch.stop, 0.1)
        with suppress(FlowrexError, TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.to_thread(self._take_back)

    def _raises(self, entry: KVEntry | None) -> bool:
        # Stopping a moment too early is the mistake that can be taken back.
        return parse(entry.value if entry else None).level > self._switch.state().level

    def _told(self, told: Reading | Missed) -> None:
        # On the watch's thread. The switch is in force when `take` returns.
        changed = self._switch.take(told)
        loop = self._loop
        assert loop is not None
        with suppress(RuntimeError):  # the loop has ended
            if isinstance(told, Reading):
                loop.call_soon_threadsafe(self._first.set)
            if changed:
                loop.call_soon_threadsafe(self._changed.set)

    async def _follow(self) -> None:
        self._changed.set()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._changed.wait()
            if self._changed.is_set():
                self._changed.clear()
                self._pending = self._switch.state()
                _log.warning("the emergency switch", extra={"switch": self._pending.as_document()})
            self._show()
            if self._pending is not None and not self._never_read(self._pending):
                await self._settle(self._pending)

    def _never_read(self, state: State) -> bool:
        return state.unknown and state.index == 0

    async def _settle(self, state: State) -> None:
        """Do what a change asks for; what fails is tried again with the next tick."""
        try:
            await self._on_change(state)
            await asyncio.to_thread(self._tell, state)
        except FlowrexError as error:
            _log.warning("a change of the emergency switch is not settled yet: %s", error.message)
        else:
            self._pending = None

    def _tell(self, state: State) -> None:
        said = acknowledge(
            state,
            wall=time.time(),
            node=self._node,
            release=self._release,
            processes=self._processes,
        )
        if self._acknowledged != (said.index, said.level):
            self._telling().kv_put(self._key, said.encode())
            self._acknowledged = (said.index, said.level)
        self._sweep()

    def _sweep(self) -> None:
        """Take back, once, what processes of this allocation left that were killed."""
        if self._swept:
            return
        client = self._telling()
        for entry in client.kv_list(self._siblings):
            pid = entry.key.removeprefix(self._siblings)
            if pid.isdecimal() and not Path("/proc", pid).exists():
                client.kv_delete(entry.key, cas=entry.modify_index)
        self._swept = True

    def _take_back(self) -> None:
        self._telling().kv_delete(self._key)

    def _show(self) -> None:
        state = self._switch.state()
        self._metrics.emergency_level.set(int(state.level))
        self._metrics.emergency_unknown.set(state.unknown_s)
