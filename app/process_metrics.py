"""CPU time and memory of the whole server, master and workers together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class ServerProcesses(Collector):
    """The usual `process_…` metrics, which the client library leaves out with several processes."""

    def __init__(self, server_pid: int, proc: Path = Path("/proc")) -> None:
        """Watch one server.

        Args:
            server_pid: the master's process id.
            proc: where the kernel shows processes.
        """
        self._pid = server_pid
        self._proc = proc

    def collect(self) -> Iterator[Metric]:
        """Return the sums over the processes that there are; nothing where there is no /proc."""
        tick_hz = os.sysconf("SC_CLK_TCK")
        master = self._stat(self._pid)
        if master is None:
            return
        # utime, stime and what finished children used: so the sum never falls when a worker ends.
        ticks = sum(int(field) for field in master[11:15])
        pages = int(master[21])
        for child in self._children():
            if (stat := self._stat(child)) is not None:
                ticks += int(stat[11]) + int(stat[12])
                pages += int(stat[21])
        yield CounterMetricFamily(
            "process_cpu_seconds_total",
            "CPU time that the server's processes used, in seconds.",
            value=ticks / tick_hz,
        )
        yield GaugeMetricFamily(
            "process_resident_memory_bytes",
            "Memory that the server's processes hold, shared pages counted for each.",
            value=pages * os.sysconf("SC_PAGE_SIZE"),
        )

    def _stat(self, pid: int) -> list[str] | None:
        try:
            # A name that the kernel cut in the middle of a character is no UTF-8.
            text = (self._proc / str(pid) / "stat").read_text(errors="replace")
        except OSError:
            return None
        # The name stands in parentheses and may hold anything, parentheses too.
        return text.rpartition(")")[2].split()

    def _children(self) -> list[int]:
        path = self._proc / str(self._pid) / "task" / str(self._pid) / "children"
        try:
            return [int(pid) for pid in path.read_text().split()]
        except OSError:
            return []
