"""Timing on noisy machines: all sides in one run, interleaved, the median of several."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """A whole process that is timed.

    Attributes:
        argv: the command.
        cwd: where it runs.
        environ: its environment; None for this process's.
        accepted: the exit statuses that are no failure.
    """

    argv: Sequence[str]
    cwd: Path | None = None
    environ: Mapping[str, str] | None = None
    accepted: tuple[int, ...] = (0,)

    def run(self) -> float:
        """Run it once and return its wall time in seconds."""
        began = time.perf_counter()
        done = subprocess.run(
            list(self.argv),
            cwd=self.cwd,
            env=None if self.environ is None else dict(self.environ),
            capture_output=True,
            text=True,
        )
        took = time.perf_counter() - began
        if done.returncode not in self.accepted:
            raise SystemExit(
                f"{' '.join(map(str, self.argv))} ended with {done.returncode}\n"
                f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return took


def interleaved(sides: Mapping[str, Sequence[Command]], rounds: int) -> dict[str, float]:
    """Return each side's median wall time in seconds.

    Args:
        sides: what each side runs, one command after the other, for the same work.
        rounds: how often; the first round warms caches and is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, commands in sides.items():
            took = sum(command.run() for command in commands)
            if number:
                times[name].append(took)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[Kround {number} of {rounds}")
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    return {name: statistics.median(values) for name, values in times.items()}


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        text: the numbers, as they are printed.
        target: what was aimed at; empty where there is none.
        met: whether it was reached.
    """

    name: str
    text: str
    target: str = ""
    met: bool = True

    def __str__(self) -> str:
        aim = f" (target: {self.target}: {'met' if self.met else 'MISSED'})" if self.target else ""
        return f"{self.name}: {self.text}{aim}"
