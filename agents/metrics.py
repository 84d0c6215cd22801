"""The agent's metrics in Prometheus' text format; a registry of this process's own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agents.supervised import State, Supervised
from flowrex import __version__

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Collector:
    """Asks the tasks at each scrape, so that no number is kept twice."""

    def __init__(
        self, tasks: Callable[[], Sequence[Supervised]], started_at: float, environment: str
    ) -> None:
        """Remember whom to ask.

        Args:
            tasks: returns the supervised tasks.
            started_at: when the process was started, in seconds since the epoch.
            environment: the environment's name, for `flowrex_agent_build_info`.
        """
        self._tasks = tasks
        self._started_at = started_at
        self._environment = environment

    def collect(self) -> Iterator[Any]:
        """Yield every metric family."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        built = GaugeMetricFamily(
            "flowrex_agent_build_info",
            "Always 1; its labels say what runs.",
            labels=["version", "environment"],
        )
        built.add_metric([__version__, self._environment], 1)
        yield built
        yield GaugeMetricFamily(
            "flowrex_agent_start_timestamp_seconds",
            "When the agent was started.",
            value=self._started_at,
        )
        states = GaugeMetricFamily(
            "flowrex_agent_task_state",
            "1 for the state that a task is in.",
            labels=["task", "state"],
        )
        restarts = CounterMetricFamily(
            "flowrex_agent_task_restarts",
            "How often a task was started again after an error.",
            labels=["task"],
        )
        silent = GaugeMetricFamily(
            "flowrex_agent_task_silent_seconds",
            "Time since a task told that it gets on.",
            labels=["task"],
        )
        tasks = self._tasks()
        for one in tasks:
            name = one.task.name
            now = one.current
            for state in State:
                states.add_metric([name, state.value], float(state is now))
            restarts.add_metric([name], max(0, one.restarts))
            silent.add_metric([name], one.silent_s)
        yield from (states, restarts, silent)
        for one in tasks:
            yield from _of(one)


def _of(one: Supervised) -> Iterator[Any]:
    try:
        yield from one.task.metrics()
    except Exception:
        # The other tasks' numbers are wanted all the more.
        log.exception("task can't tell its metrics", extra={"task": one.task.name})


def registry(collector: Collector) -> CollectorRegistry:
    """Return a registry with the agent's and the process's own metrics."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    made = CollectorRegistry()
    made.register(collector)
    ProcessCollector(registry=made)
    return made


def text(made: CollectorRegistry) -> bytes:
    """Return all metrics as Prometheus reads them."""
    from prometheus_client import generate_latest

    return generate_latest(made)
