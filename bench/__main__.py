"""Run the benchmarks: all, or those that are named."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import agent, analysis, audit, backup, emergency, peers, plan, release, render, rollout
from bench.measure import Figure
from generator.dev.servers import Lines
from generator.dev.settings import read
from tests.cluster import running

RESULTS = Path(__file__).with_name("RESULTS.md")
PORT_BASE = int(os.environ.get("FLOWREX_TEST_PORT_BASE", "24000"))
ON_A_CLUSTER = {
    "agent": agent.run,
    "rollout": rollout.run,
    "analysis": analysis.run,
    "emergency": emergency.run,
}
WITH_PEERS = ("plan", "release")
NAMES = ("render", "plan", *ON_A_CLUSTER, "release", "audit", "backup")


def main() -> None:
    wanted = sys.argv[1:] or list(NAMES)
    if unknown := sorted(set(wanted) - set(NAMES)):
        sys.exit(f"there is no benchmark {', '.join(unknown)}; known: {', '.join(NAMES)}")
    # What is measured is an installed tool, which has its bytecode.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures: list[Figure] = []
    try:
        _measure(wanted, figures)
    finally:
        # What was measured before one fails counts.
        for figure in figures:
            print(figure)
        if figures:
            record(figures)


def _measure(wanted: list[str], figures: list[Figure]) -> None:
    """Run the benchmarks that are wanted, and add their figures."""
    with tempfile.TemporaryDirectory(prefix="flowrex-bench-") as made:
        folder = Path(made)
        programs = {}
        if {"render", *WITH_PEERS} & set(wanted):
            programs = peers.build(folder, read(os.environ).cache, Lines())
        if "render" in wanted:
            figures += render.run(folder, programs)
        if {*WITH_PEERS, *ON_A_CLUSTER} & set(wanted):
            with running(PORT_BASE, nodes=2) as cluster:
                if "plan" in wanted:
                    figures += plan.run(folder, programs, cluster)
                for name, measure in ON_A_CLUSTER.items():
                    if name in wanted:
                        figures += measure(cluster)
                # Last: it stops the platform's jobs.
                if "release" in wanted:
                    figures += release.run(folder, programs, cluster)
        if "audit" in wanted:
            figures += audit.run(folder)
    if "backup" in wanted:
        figures += backup.run()


def record(figures: list[Figure]) -> None:
    """Put this run's figures at the head of RESULTS.md."""
    with Path("/proc/cpuinfo").open() as lines:
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "?")
    machine = f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}"
    head = (
        f"## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine}, Python {platform.python_version()}"
    )
    section = "\n".join([head, "", *(f"- {figure}" for figure in figures), ""])
    title = "# Results\n\nWritten by `make bench`, the newest first.\n\n"
    earlier = RESULTS.read_text().removeprefix(title) if RESULTS.exists() else ""
    RESULTS.write_text(title + section + ("\n" + earlier if earlier else ""))


main()
