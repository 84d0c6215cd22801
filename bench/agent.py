"""What a node agent costs while nothing happens: memory, and its share of a core.

Every part is on that a dev cluster switches on, at the intervals of the reference: a dev cluster's
own are short, so that tests need not wait.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from bench.measure import Figure
from generator.environment import load
from tests.cluster import ROOT, Cluster, eventually

SETTLE_S = 45.0
# Each of its intervals several times.
MEASURE_S = 120.0
# What `flowrexctl dev up` shortens.
SHORTENED = {
    "status": ("interval",),
    "consul": ("service_ttl",),
    "vault": ("check_interval",),
    "physical": ("watch_interval", "list_interval"),
}
MEMORY_TARGET_MIB = 60.0
CPU_TARGET_PERCENT = 0.5


def run(cluster: Cluster) -> list[Figure]:
    """Watch the cluster's agent, with every part of it that a dev cluster switches on.

    Args:
        cluster: a running cluster; the fewer others use the machine, the truer.
    """
    status = eventually(lambda: _status(cluster), what="the agent's status")
    _at_its_own_intervals(cluster.state / "config" / "agent.yaml")
    # Being asked for metrics is part of it, as often as production asks.
    scraped = load(ROOT, "prod", environ={}).prometheus.scrape_interval
    prometheus = ("run", "dev", "prometheus", "--yes", "--promote")
    cluster.run(*prometheus, "--set", f"prometheus.scrape_interval={scraped}")
    # What it does first of all: logins, the first look at the backups and the archive.
    time.sleep(SETTLE_S)
    pid = int(status["pid"])
    before, began = _cpu_s(pid), time.monotonic()
    time.sleep(MEASURE_S)
    share = 100 * (_cpu_s(pid) - before) / (time.monotonic() - began)
    resident = _resident_mib(pid)
    cluster.run(*prometheus)
    return [
        Figure(
            f"flowrex-agent, idle, {len(status['tasks'])} tasks, resident memory",
            f"{resident:.1f} MiB",
            f"under {MEMORY_TARGET_MIB:.0f} MiB",
            resident < MEMORY_TARGET_MIB,
        ),
        Figure(
            f"flowrex-agent, idle, share of a core over {MEASURE_S:.0f} s",
            f"{share:.2f} %",
            f"under {CPU_TARGET_PERCENT} %",
            share < CPU_TARGET_PERCENT,
        ),
    ]


def _at_its_own_intervals(path: Path) -> None:
    settings = yaml.safe_load(path.read_text())
    for section, names in SHORTENED.items():
        for name in names:
            settings[section].pop(name, None)
    path.write_text(yaml.safe_dump(settings))
    command: list[str | Path] = [sys.executable, "-m", "agents.main", "reload", "--config", path]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _status(cluster: Cluster) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.base + 77}/status") as answer:
        return dict(json.load(answer))


def _cpu_s(pid: int) -> float:
    """Return the seconds that a process and its ended children have computed for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
