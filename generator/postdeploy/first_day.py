"""The first 24 hours of a release, look by look: what the numbers say, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flowrex.duration import ago, seconds
from generator.environment.validation import Watching

Kind = Literal["well", "wrong", "unknown"]


@dataclass(frozen=True)
class Reading:
    """What was seen at one look.

    Attributes:
        at: when.
        requests: how many there were since the last look.
        error_percent: how many of them failed; 0 where there were none.
        p50_s: seconds within which half were answered; None where too few were, as p95_s and p99_s.
        p95_s: the same of 95 in 100.
        p99_s: the same of 99 in 100.
        memory: bytes that each allocation of the backend holds.
        pool_percent: how much of its database connections the busiest instance uses.
        trades: orders that were filled since the last look.
        refused: orders that the broker has refused since the last look.
        restarts: tasks that were restarted since they began, by job.
        alerts: the alerts that fire, by name.
        problems: what the checks of backups and certificates found, by check.
    """

    at: datetime
    requests: float = 0.0
    error_percent: float = 0.0
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    memory: Mapping[str, float] = field(default_factory=dict)
    pool_percent: float = 0.0
    trades: float = 0.0
    refused: float = 0.0
    restarts: Mapping[str, int] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """What is said of one thing at one look.

    Attributes:
        name: of what.
        kind: how it is.
        text: the number, and what it may be.
    """

    name: str
    kind: Kind
    text: str


def judge(reading: Reading, first: Reading, limits: Watching) -> list[Said]:
    """Say of each thing how it is. Pure.

    Args:
        reading: what was seen.
        first: what was seen at the first look, for what must not grow.
        limits: the environment's settings.
    """
    return [
        _errors(reading, limits),
        _latency(reading, limits),
        _memory(reading, first, limits),
        _most("pool", reading.pool_percent, limits.max_pool_percent, "% of the connections"),
        _trades(reading, limits),
        _restarts(reading, first),
        Said(
            "alerts",
            "wrong" if reading.alerts else "well",
            f"{', '.join(reading.alerts)} fires" if reading.alerts else "none fires",
        ),
        *(
            Said(name, "wrong" if text else "well", text or "passed")
            for name, text in reading.problems.items()
        ),
    ]


def _errors(reading: Reading, limits: Watching) -> Said:
    text = f"{reading.error_percent:.2f} % of {reading.requests:.0f} requests failed"
    wrong = reading.error_percent > limits.max_error_percent
    return Said("errors", "wrong" if wrong else "well", text)


def _latency(reading: Reading, limits: Watching) -> Said:
    if reading.p95_s is None:
        return Said("latency", "well", "too few requests to tell")
    known = (reading.p50_s or 0, reading.p95_s, reading.p99_s or 0)
    text = "p50 {:.0f} ms, p95 {:.0f} ms, p99 {:.0f} ms".format(*(1000 * one for one in known))
    wrong = reading.p95_s > seconds(limits.max_p95)
    return Said("latency", "wrong" if wrong else "well", text)


def _memory(reading: Reading, first: Reading, limits: Watching) -> Said:
    if not reading.memory:
        return Said("memory", "unknown", "Nomad's telemetry says nothing of it")
    grown = [
        100 * (held / first.memory[name] - 1)
        for name, held in reading.memory.items()
        if first.memory.get(name)
    ]
    return _most(
        "memory", max(grown, default=0.0), limits.max_memory_growth_percent, "% more than at first"
    )


def _trades(reading: Reading, limits: Watching) -> Said:
    tried = reading.trades + reading.refused
    if not tried:
        return Said("trades", "well", "no order was tried")
    share = 100 * reading.trades / tried
    text = f"{share:.1f} % of {tried:.0f} orders were executed"
    return Said("trades", "wrong" if share < limits.min_trade_percent else "well", text)


def _restarts(reading: Reading, first: Reading) -> Said:
    more = {
        name: count - first.restarts.get(name, 0)
        for name, count in reading.restarts.items()
        if count > first.restarts.get(name, 0)
    }
    text = ", ".join(f"{name} {count} times" for name, count in more.items())
    return Said("restarts", "wrong" if more else "well", text or "none since the first look")


def _most(name: str, value: float, most: int, unit: str) -> Said:
    text = f"{value:.0f} {unit}"
    return Said(name, "wrong" if value > most else "well", text)


class Standing:
    """What has been wrong, and for how many looks in a row."""

    def __init__(self, patience: int) -> None:
        """Begin.

        Args:
            patience: as many looks in a row something must be wrong before it counts.
        """
        self._patience = patience
        self._looks: dict[str, int] = {}

    def add(self, said: Sequence[Said]) -> None:
        """Add what was said at one look."""
        for one in said:
            wrong = one.kind != "well"
            self._looks[one.name] = self._looks.get(one.name, 0) + 1 if wrong else 0

    @property
    def counts(self) -> list[str]:
        """What has been wrong for long enough to count."""
        return [name for name, looks in self._looks.items() if looks >= self._patience]


def times(now: float, end: float, every_s: float) -> Iterator[float]:
    """Return when it is looked at: at once, and then every so often until the end, and at it."""
    at = now
    while at < end:
        yield at
        at += every_s
    yield max(now, end)


def headline(reading: Reading, said: Sequence[Said], since: datetime) -> str:
    """Return one line for a look."""
    age = ago((reading.at - since).total_seconds())
    wrong = [f"{one.name}: {one.text}" for one in said if one.kind != "well"]
    if wrong:
        return f"{age} after it began: {'; '.join(wrong)}"
    by_name = {one.name: one.text for one in said}
    return f"{age} after it began: well; {by_name['errors']}, {by_name['latency']}"
