"""The emergency's worker as a process, and a Consul of its own for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from tests.contract import own
from tests.live.app.process import ROOT
from tests.live.app.servers import free_port, wait_until


@dataclass
class Consul:
    """A Consul server whose data can be thrown away."""

    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def client(self) -> ConsulClient:
        return ConsulClient(self.address)

    def start(self) -> None:
        """Start with no data; Consul's index begins anew."""
        off = dict.fromkeys(("dns", "grpc", "grpc_tls", "serf_wan"), -1)
        config = self.folder / "consul.json"
        config.write_text(json.dumps({"ports": {**off, **self.ports}}))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [own.program("consul"), "agent", "-dev", f"-config-file={config}"],
                cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self._leads, "Consul has a leader", seconds=30)

    def stop(self) -> None:
        """End it at once; what it held is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _leads(self) -> bool:
        try:
            return bool(self.client.leader()) and self.client.kv_put("ready", "")
        except ServerUnreachable:
            return False


@contextmanager
def consul(folder: Path) -> Iterator[Consul]:
    """Run a Consul while the block lasts."""
    folder.mkdir(parents=True)
    ports = dict(zip(("http", "server", "serf_lan"), own.free_ports(3), strict=True))
    server = Consul(folder, ports)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Worker:
    """A running worker."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@contextmanager
def working(
    environ: Mapping[str, str], folder: Path, *, code: str | None = None
) -> Iterator[Worker]:
    """Run a worker while the block lasts.

    Args:
        environ: its variables.
        folder: where its log and its state go.
        code: Python that starts it in another way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "worker.log"
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own_variables = {
        "FLOWREX_LISTEN": f"127.0.0.1:{free_port()}",
        "FLOWREX_STATE_DIR": str(folder / "state"),
        "FLOWREX_INSTANCE": folder.name,
    }
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", MODULE]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**inherited, **environ, **own_variables},
            stdout=output, stderr=output,
        )  # fmt: skip
    worker = Worker(process, log)
    try:
        yield worker
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            worker.kill()


MODULE = "app.workers.emergency"
