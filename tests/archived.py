"""A cluster whose PostgreSQL archives, its agent's verbs, and clusters restored from it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowrex.secret import Secret
from generator.bootstrap.postgres import Server
from generator.dev.postgres_install import programs, user
from tests.cluster import ROOT, Cluster, eventually, running


@dataclass(frozen=True)
class Database:
    """The cluster's PostgreSQL, and the agent's verbs on its node."""

    cluster: Cluster

    def ask(self, sql: str) -> Any:
        """Return the first value of a statement's first row."""
        password = (self.cluster.state / "secrets/postgres-superuser").read_text().strip()
        where = f"127.0.0.1:{self.cluster.base + 32}"
        with Server(Secret(f"postgresql://postgres:{password}@{where}/flowrex")) as server:
            row = server.row(sql)
        return row[0] if row else None

    def add(self, row: int) -> str:
        """Write one row, in a transaction of its own, and return the WAL segment it went into."""
        where = "pg_walfile_name(pg_current_wal_insert_lsn())"
        return str(self.ask(f"INSERT INTO moments VALUES ({row}) RETURNING {where}"))

    def agent(self, *words: str, expect: int = 0) -> str:
        """Run one of the agent's verbs, and return what it prints."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "agents.main", *words),
                *("--config", self.cluster.state / "config/agent.yaml"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def document(self, *words: str) -> Any:
        """Return the one document of a verb with --json."""
        return json.loads(self.agent(*words, "--json"))

    def status(self) -> dict[str, Any]:
        """Return what the running agent says of its tasks `physical` and `physical-backup`."""
        tasks = self.document("status")["tasks"]
        return {**tasks["physical-backup"], **tasks["physical"]}

    def kill(self, name: str) -> None:
        """Kill a server, without a word."""
        os.kill(self._pid(name), signal.SIGKILL)

    def stop(self, name: str) -> None:
        """Let a PostgreSQL stop in order, and wait for its end."""
        pid = self._pid(name)
        os.kill(pid, signal.SIGINT)
        lock = self.cluster.state / "data" / name / "pgdata/postmaster.pid"
        eventually(lambda: not lock.exists(), within=60, what=f"the end of {name}")

    def _pid(self, name: str) -> int:
        record = json.loads((self.cluster.state / "cluster.json").read_text())
        return int(record["servers"][name]["identity"]["pid"])


@contextmanager
def archived(base: int) -> Iterator[Database]:
    """Run a cluster whose agent has taken a full backup by itself.

    Args:
        base: its first port.
    """
    with running(base, deploy=False) as cluster:
        made = Database(cluster)
        made.ask("CREATE TABLE moments (id int, at timestamptz DEFAULT clock_timestamp())")
        eventually(
            lambda: made.document("physical", "list")["backups"],
            within=120,
            every=2,
            what="the first full backup",
        )
        yield made


@contextmanager
def started(folder: Path, port: int) -> Iterator[None]:
    """Run a restored cluster, as `restore` says, until it has replayed all and accepts writes."""
    owner = user()
    control: list[str | Path] = [programs() / "pg_ctl", "-D", folder]

    def run(*words: str) -> None:
        # pg_ctl's child keeps its output open, so it is given none.
        done = subprocess.run(
            [*control, *words],
            cwd=folder,
            user=owner,
            group=owner,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=120,
        )
        log = folder / "scratch.log"
        assert done.returncode == 0, log.read_text()[-3000:] if log.exists() else words

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    run("-o", options, "-l", str(folder / "scratch.log"), "-w", "-t", "100", "start")
    try:
        yield
    finally:
        run("-m", "immediate", "stop")
