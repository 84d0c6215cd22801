"""Constant load by wrk, and what it saw."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from types import TracebackType

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class load:  # noqa: N801 - it reads as a block: `with load(url) as seen:`
    """Load an address for as long as a block takes; afterwards the figures are there.

    Attributes:
        report: wrk's own words.
        requests: how many requests were answered.
        failed: how many got no answer within ten seconds, or one that is neither 2xx nor 3xx.
        p99_ms: the 99th percentile of the answers' latency.
    """

    def __init__(self, url: str, *, connections: int = 8) -> None:
        self.report = ""
        self._command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            "-d900",
            "--timeout",
            "10s",
            "--latency",
            url,
        ]

    def __enter__(self) -> load:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ended = self._process.poll()
        self._process.send_signal(signal.SIGINT)  # wrk ends and reports
        try:
            self.report, _ = self._process.communicate(timeout=30)
        finally:
            self._process.kill()
            self._process.wait()
        assert kind is not None or ended is None, "the load ended before what it was to cover"

    @property
    def requests(self) -> int:
        return int(self._find(r"(\d+) requests in")[1])

    @property
    def failed(self) -> int:
        errors = re.search(r"Socket errors: (.*)", self.report)
        counts = map(int, re.findall(r"\d+", errors[1] if errors else ""))
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", self.report)
        return sum(counts) + (int(refused[1]) if refused else 0)

    @property
    def p99_ms(self) -> float:
        found = self._find(r"99%\s+([\d.]+)(us|ms|s|m)\b")
        return float(found[1]) * _UNITS[found[2]]

    def _find(self, pattern: str) -> re.Match[str]:
        found = re.search(pattern, self.report)
        assert found, self.report
        return found
