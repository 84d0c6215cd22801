"""Runs named tasks: starts again what failed, knows what is stuck, ends what can't go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from agents.backoff import Backoff
from agents.clock import Clock
from agents.supervised import State, Supervised
from agents.task import Task
from flowrex.errors import ConfigurationError, FlowrexError

log = logging.getLogger(__name__)

# So long a run without an error forgets the errors before it.
_FORGIVEN_AFTER_S = 60.0


class Supervisor:
    """The tasks of one agent.

    A task that raises is started again after a back-off. One that returns, or raises a
    `ConfigurationError` before its first beat while the agent starts, can't go on: the whole agent
    ends, since half an agent would be trusted as a whole one. Later such an error is like any
    other: a program or a file that is gone for a while must not end the other tasks, the watch of
    the kill switch among them.
    """

    def __init__(
        self, clock: Clock, backoff: Backoff, *, changed: Callable[[], None] = lambda: None
    ) -> None:
        """Begin with no task.

        Args:
            clock: tells the time.
            backoff: how long to wait before a task that failed is started again.
            changed: is called when a task's state changed.
        """
        self.backoff = backoff
        self._clock = clock
        self._changed = changed
        self._tasks: dict[str, Supervised] = {}
        self._failure: asyncio.Future[FlowrexError] | None = None

    @property
    def tasks(self) -> tuple[Supervised, ...]:
        """Every task with its state, in the order of the starts."""
        return tuple(self._tasks.values())

    def start(self, tasks: Iterable[Task], *, at_start: bool = True) -> None:
        """Start tasks, in this order; must be called inside the event loop.

        Args:
            tasks: the tasks.
            at_start: whether the agent itself starts.

        Raises:
            ValueError: there is a task of that name already.
        """
        for task in tasks:
            if task.name in self._tasks:
                raise ValueError(f"there are two tasks named {task.name}")
            one = Supervised(task, self._clock, at_start=at_start)
            one.handle = asyncio.create_task(self._keep_running(one), name=task.name)
            self._tasks[task.name] = one
        self._changed()

    async def failed(self) -> FlowrexError:
        """Wait until a task can't go on, and return why."""
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._failure)

    def give_up(self, error: FlowrexError) -> None:
        """End the whole agent: what is said can't be put right by going on."""
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
        if not self._failure.done():
            self._failure.set_result(error)

    def stuck(self) -> list[str]:
        """Return the names of the tasks that have not got on for their stall time."""
        names = []
        for one in self._tasks.values():
            if one.is_stuck():
                names.append(one.task.name)
                if not one.told_stuck:
                    one.told_stuck = True
                    self._tell_stuck(one)
            elif one.told_stuck:
                one.told_stuck = False
                log.warning("task gets on again", extra={"task": one.task.name})
                self._changed()
        return names

    async def stop(self, names: Iterable[str] | None = None, *, within_s: float) -> list[str]:
        """Cancel tasks, the last one first, and wait for the end of each before the next.

        Args:
            names: the tasks; all unless given.
            within_s: seconds for all of them together.

        Returns:
            The names of those that had not ended by then.
        """
        chosen = list(self._tasks if names is None else names)
        deadline = self._clock.monotonic() + within_s
        late = []
        for name in reversed([name for name in self._tasks if name in chosen]):
            one = self._tasks[name]
            one.state = State.STOPPING
            assert one.handle is not None
            one.handle.cancel()
            left = max(0.0, deadline - self._clock.monotonic())
            # Not wait_for: it would wait without limit for one that ignores its cancellation.
            _, pending = await asyncio.wait([one.handle], timeout=left)
            if pending:
                late.append(name)
                log.error("task did not stop in time", extra={"task": name})
            del self._tasks[name]
        return late

    async def _keep_running(self, one: Supervised) -> None:
        name = one.task.name
        while True:
            one.begin()
            begun = self._clock.monotonic()
            try:
                await one.task.run(one.beat)
            except Exception as raised:
                error = _alone(raised)
                if isinstance(error, ConfigurationError) and one.is_starting:
                    self._end(one, error)
                    return
                if self._clock.monotonic() - begun > _FORGIVEN_AFTER_S:
                    one.failures = 0
                wait_s = self.backoff.seconds(one.failures + 1)
                one.fail(error, wait_s)
                log.warning(
                    "task failed",
                    extra={"task": name, "error": one.error, "again_in_s": round(wait_s, 1)},
                    # What is no FlowrexError is a bug, and its place is wanted.
                    exc_info=None if isinstance(error, FlowrexError) else error,
                )
                self._changed()
                await self._clock.sleep(wait_s)
                self._changed()
            else:
                self._end(
                    one, ConfigurationError(f"task {name} returned, and nothing does its work now")
                )
                return

    def _end(self, one: Supervised, error: ConfigurationError) -> None:
        one.end(error)
        log.error("task can't go on", extra={"task": one.task.name, "error": error.message})
        self._changed()
        self.give_up(error)

    def _tell_stuck(self, one: Supervised) -> None:
        log.error(
            "task is stuck",
            extra={
                "task": one.task.name,
                "silent_s": round(one.silent_s, 1),
                "stall_s": one.task.stall_s,
                "where": one.where(),
            },
        )
        self._changed()

    def document(self) -> dict[str, Any]:
        """Return each task's state, for `status` and Consul."""
        return {name: one.document() for name, one in self._tasks.items()}


def _alone(error: Exception) -> Exception:
    """Return the one error of a group of one: what a task says that has tasks of its own."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
