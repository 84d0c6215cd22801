"""What the agent is made of: named tasks that tell that they get on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Beat(Protocol):
    """How a task tells the supervisor that it gets on; the watchdog is fed by nothing else."""

    def __call__(self) -> None:
        """Tell that a step is done. A task that has not called for its stall time is stuck."""
        ...

    def allow(self, seconds: float) -> AbstractContextManager[None]:
        """Let one long step take up to so many seconds, for the length of a block."""
        ...


class Task(Protocol):
    """One named task of the agent. It runs until it is cancelled.

    Attributes:
        name: unique and lower case: `audit`, `backup`, `emergency`, …
        stall_s: seconds without a beat after which the task is stuck.
    """

    name: str
    stall_s: float

    async def run(self, beat: Beat) -> None:
        """Work until cancelled.

        Cancelled, it finishes or undoes the step at hand and saves what it must. An error that it
        raises is logged, and the supervisor starts it again after a back-off; a return, or a
        `ConfigurationError` before the first beat at the agent's start, means that it can't go on,
        and ends the whole agent.
        """
        ...

    def status(self) -> dict[str, Any]:
        """Return what `status` and Consul show: what it last did, how far behind it is."""
        ...

    def metrics(self) -> Iterator[Any]:
        """Yield this task's `prometheus_client` metric families."""
        ...
