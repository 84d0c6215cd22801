"""One task as its supervisor sees it: its state, its last beat, its last error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any

from agents.clock import Clock
from agents.task import Task
from flowrex.errors import FlowrexError

log = logging.getLogger(__name__)

_LONGEST_ERROR = 400


class State(StrEnum):
    """What a task is doing."""

    RUNNING = "running"
    WAITING = "waiting"  # it failed, and is started again after its back-off
    STUCK = "stuck"
    STOPPING = "stopping"
    ENDED = "ended"  # it can't go on


class Beat:
    """How one task tells that it gets on.

    Attributes:
        told: whether it ever told that a step was done.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = clock.monotonic()
        self._allowed: list[float] = []
        self.told = False

    def __call__(self) -> None:
        """Tell that a step is done."""
        self.told = True
        self.rest()

    def rest(self) -> None:
        """Let the silence begin now; nothing is said of a step."""
        self._last = self._clock.monotonic()

    @contextmanager
    def allow(self, seconds: float) -> Iterator[None]:
        """Let one long step take up to so many seconds, for the length of a block."""
        until = self._clock.monotonic() + seconds
        self._allowed.append(until)
        try:
            yield
        finally:
            self._allowed.remove(until)
            self.rest()  # the step may have failed

    @property
    def silent_s(self) -> float:
        """Seconds since the last beat, or since the time that was allowed was over."""
        return max(0.0, self._clock.monotonic() - max([self._last, *self._allowed]))


class Supervised:
    """One task.

    Attributes:
        task: the task.
        at_start: whether it was started with the agent, and not by a reload.
        state: what it is doing, as far as its start and its end tell.
        error: its last error, in a sentence; empty where it had none.
        failures: how often in a row it failed.
        restarts: how often it was started again.
        since: when its state began.
        handle: what runs it.
        told_stuck: whether it was logged as stuck.
    """

    def __init__(self, task: Task, clock: Clock, *, at_start: bool = True) -> None:
        self.task = task
        self.at_start = at_start
        self.beat = Beat(clock)
        self.state = State.RUNNING
        self.error = ""
        self.failures = 0
        self.restarts = -1
        self.since: datetime = clock.now()
        self.handle: asyncio.Task[None] | None = None
        self.told_stuck = False
        self._clock = clock

    @property
    def is_starting(self) -> bool:
        """Whether the agent starts, and this task has not got on yet."""
        return self.at_start and not self.beat.told

    @property
    def silent_s(self) -> float:
        """Seconds without a beat."""
        return self.beat.silent_s

    @property
    def current(self) -> State:
        """Its state, with what its silence says."""
        return State.STUCK if self.is_stuck() else self.state

    def is_stuck(self) -> bool:
        """Tell whether it has been silent for its stall time."""
        return self.state is State.RUNNING and self.silent_s > self.task.stall_s

    def begin(self) -> None:
        """Take note of a start."""
        self.restarts += 1
        self.beat.rest()
        self._enter(State.RUNNING)

    def fail(self, error: Exception, wait_s: float) -> None:
        """Take note of an error after which it will be started again."""
        self.failures += 1
        self.error = f"{_sentence(error)} (again in {wait_s:.0f} s)"
        self._enter(State.WAITING)

    def end(self, error: Exception) -> None:
        """Take note that it can't go on."""
        self.error = _sentence(error)
        self._enter(State.ENDED)

    def where(self) -> list[str]:
        """Return the places in the code at which it waits, the outermost first."""
        places = []
        inner: Any = None if self.handle is None else self.handle.get_coro()
        while (frame := getattr(inner, "cr_frame", None)) is not None:
            code = frame.f_code
            places.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
            inner = inner.cr_await
        return places

    def document(self) -> dict[str, Any]:
        """Return its state and what it tells of itself."""
        return {
            "state": self.current.value,
            "since": self.since.isoformat(timespec="seconds"),
            "restarts": max(0, self.restarts),
            "silent_s": round(self.silent_s, 1),
            "error": self.error,
            **self._told(),
        }

    def _told(self) -> dict[str, Any]:
        try:
            return self.task.status()
        except Exception as error:
            # One task's mistake must not hide what the others say.
            log.exception("task can't tell its status", extra={"task": self.task.name})
            return {"problem": f"its status can't be told: {_sentence(error)}"}

    def _enter(self, state: State) -> None:
        self.state = state
        self.since = self._clock.now()


def _sentence(error: Exception) -> str:
    text = error.message if isinstance(error, FlowrexError) else f"{type(error).__name__}: {error}"
    return text if len(text) <= _LONGEST_ERROR else text[:_LONGEST_ERROR] + "…"
