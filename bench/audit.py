"""Shipping the audit log: lines and bytes a second of one core, beside zstd and rsyslog."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import Figure

_LINES = 10_000_000
_STEP = 1_000_000
_RSYSLOG_LINES = 500_000
_TARGET = 150_000
_MORE_MEMORY = 1.1


def run(folder: Path, lines: int = _LINES) -> list[Figure]:
    """Measure.

    Args:
        folder: for the files; the log takes 300 bytes a line.
        lines: of the log.
    """
    log = folder / "audit.jsonl"
    size = write_log(log, lines)
    cost, peaks = _shipper(folder, log, lines)
    whole = sum(cost)
    rate, speed = lines / whole, size / whole / 1e6
    zstd = _zstd(log)
    figures = [
        Figure(
            f"audit: lines of 300 bytes shipped by one core ({lines / 1e6:.0f} million)",
            f"{rate / 1e3:.0f} thousand/s, {speed:.0f} MB/s",
            f"at least {_TARGET // 1000} thousand/s",
            rate >= _TARGET,
        ),
        Figure(
            "audit: cost of a line in the last million beside the first",
            f"{cost[-1] / _STEP * 1e6:.2f} us / {cost[0] / _STEP * 1e6:.2f} us "
            f"= {cost[-1] / cost[0]:.2f}",
        ),
        Figure(
            "audit: memory after the last million beside after the first",
            f"{peaks[-1] / 1024:.0f} MiB / {peaks[0] / 1024:.0f} MiB",
            "flat",
            peaks[-1] <= peaks[0] * _MORE_MEMORY,
        ),
        Figure(
            "audit: core time against `zstd -3` over the same file",
            f"{whole:.1f} s / {zstd:.1f} s = {whole / zstd:.1f}",
        ),
    ]
    if shutil.which("rsyslogd"):
        some = folder / "some.jsonl"
        write_log(some, _RSYSLOG_LINES)
        theirs = _rsyslog(folder, some, _RSYSLOG_LINES)
        ours = whole / lines * _RSYSLOG_LINES
        figures.append(
            Figure(
                "audit: core time against rsyslog (imfile, parsed as JSON, to a zipped file)",
                f"{ours:.1f} s / {theirs:.1f} s = {ours / theirs:.2f}",
            )
        )
    return figures


def write_log(path: Path, lines: int) -> int:
    """Write a log of lines of 300 bytes, as the backend's look, and return its size."""
    fields = {
        "time": "2026-03-01T12:00:00.000000Z",
        "kind": "request",
        "request_id": "{number:016x}",
        "actor": "desk-{user}",
        "method": "POST",
        "path": "/orders",
        "source": "10.1.2.{user}",
        "user_agent": "",
        "status": 201,
        "duration_ms": 12.345,
        "detail": {"order": "o-{number:016x}"},
    }
    template = json.dumps(fields, separators=(",", ":")).replace("{", "{{").replace("}", "}}")
    for name in ("number:016x", "user"):
        template = template.replace("{{" + name + "}}", "{" + name + "}")
    short = len(template.format(number=0, user=10)) + 1
    template = template.replace('"user_agent":""', f'"user_agent":"{"a" * (300 - short)}"') + "\n"
    with path.open("w") as file:
        for at in range(0, lines, 10_000):
            file.writelines(
                template.format(number=(number * 0x9E3779B97F4A7C15) % 2**64, user=10 + number % 90)
                for number in range(at, at + 10_000)
            )
    return path.stat().st_size


def _shipper(folder: Path, log: Path, lines: int) -> tuple[list[float], list[int]]:
    """Ship the log in a process of its own; core seconds and peak memory of each million lines."""
    command = [sys.executable, "-m", "bench.audit", str(folder / "state"), str(log), str(_STEP)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    document = json.loads(done.stdout)
    if sum(document["lines"]) != lines:
        raise SystemExit(f"{sum(document['lines'])} of {lines} lines were shipped")
    return document["cpu_s"], document["peak_kib"]


def ship(state: Path, log: Path, step: int) -> dict[str, list[float]]:
    """Ship a log to a sink that takes all at once, and measure each `step` lines.

    All else is as it is in service: the file is polled, parsed, hashed and compressed, each segment
    is spooled to the disk and the cursor saved, both synced.
    """
    from agents.audit.choose import Readiness
    from agents.audit.cut import Bounds
    from agents.audit.ship import Shipper
    from agents.audit.tail import Tail
    from tests.unit.agents.audit.rig import MemorySink

    class Taker(MemorySink):
        """Acknowledges and forgets."""

        def deliver(self, segment: object) -> None:
            pass

        def find(self, keys: object) -> None:  # type: ignore[override]
            return None

    tail = Tail({"trading": [str(log)]})
    shipper = Shipper(
        Taker(),
        tail,
        state,
        "bench",
        Bounds(),
        Readiness(),
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
    )
    measured: dict[str, list[float]] = {"lines": [], "cpu_s": [], "wall_s": [], "peak_kib": []}
    begun, cpu, wall = 0, time.process_time(), time.perf_counter()
    tail.poll(time.monotonic())
    more = True
    while more:
        more = bool(shipper.step(flush=True))
        done = shipper.counts.lines - begun
        if done >= step or (not more and done):
            measured["lines"].append(done)
            # Segments do not end at the step: the cost is scaled to it.
            measured["cpu_s"].append((time.process_time() - cpu) * (step / done if more else 1))
            measured["wall_s"].append(time.perf_counter() - wall)
            measured["peak_kib"].append(_peak_kib())
            begun, cpu, wall = shipper.counts.lines, time.process_time(), time.perf_counter()
    return measured


def _peak_kib() -> int:
    """Return the most memory that this program had; `getrusage` counts its parent's as its own."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def _zstd(log: Path) -> float:
    return _core_seconds(["zstd", "-q", "-3", "--single-thread", "-c", str(log)])


def _core_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def _rsyslog(folder: Path, log: Path, lines: int) -> float:
    """Let rsyslog follow the file, parse each line and write it compressed; core seconds."""
    target = folder / "rsyslog.gz"
    config = folder / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{folder}")\n'
        'module(load="imfile" mode="polling" pollingInterval="1")\n'
        'module(load="mmjsonparse")\nmodule(load="impstats" interval="1" format="json"'
        f' log.syslog="off" log.file="{folder}/stats")\n'
        'template(name="raw" type="string" string="%msg%\\n")\n'
        f'input(type="imfile" file="{log}" tag="audit" reopenOnTruncate="on")\n'
        'action(type="mmjsonparse" cookie="")\n'
        f'action(type="omfile" name="out" file="{target}" template="raw" zipLevel="3"'
        ' veryRobustZip="off" ioBufferSize="256k")\n'
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        ["rsyslogd", "-n", "-f", str(config), "-i", str(folder / "rsyslog.pid")]
    )
    try:
        while _processed(folder / "stats") < lines:
            if process.poll() is not None:
                raise SystemExit("rsyslogd ended by itself")
            time.sleep(0.5)
    finally:
        process.terminate()
        process.wait(60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def _processed(stats: Path) -> int:
    """Return how many lines rsyslog's last word says its output has taken."""
    if not stats.exists():
        return 0
    said = [line for line in stats.read_text().splitlines() if '"name": "out"' in line]
    if not said:
        return 0
    return int(json.loads(said[-1][said[-1].index("{") :])["processed"])


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    result = ship(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(result))
