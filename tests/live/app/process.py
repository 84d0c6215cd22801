"""The application as a process, and clients that count what goes wrong."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.app.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Answer:
    """One response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Application:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str, *, timeout_s: float = 10, **headers: str) -> Answer:
        """Ask once, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            return ask(connection, path, headers)
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Tell whether it answers and is ready."""
        try:
            return self.get("/health/ready").status == 200
        except OSError:
            return False

    def workers(self) -> list[int]:
        """Return the workers' process ids."""
        pid = self.process.pid
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def metric(self, name: str, **labels: str) -> float:
        """Return one value of /metrics, 0 where there is none."""
        from prometheus_client.parser import text_string_to_metric_families

        text = self.get("/metrics").body.decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return 0.0

    def lines(self) -> list[dict[str, Any]]:
        """Return the log; a line that is no JSON fails the test."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the master alone, as Nomad does."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 15) -> int:
        """Return the exit status."""
        return self.process.wait(seconds)


def ask(
    connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """Ask on a connection that stays open if the server lets it."""
    connection.request(
        "GET", path, headers={k.replace("_", "-"): v for k, v in (headers or {}).items()}
    )
    response = connection.getresponse()
    body = response.read()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)


@contextmanager
def running(
    environ: Mapping[str, str], folder: Path, *, ready: bool = True, code: str | None = None
) -> Iterator[Application]:
    """Run the server while the block lasts.

    Args:
        environ: its variables.
        folder: where its log goes.
        ready: wait until it is ready, else only until it answers.
        code: Python that starts it in another way.
    """
    port = free_port()
    log = folder / f"app-{port}.log"
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "app.server"]
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, **environ, "FLOWREX_LISTEN": f"127.0.0.1:{port}"},
            stdout=output,
            stderr=output,
        )
    application = Application(process, port, log)
    try:
        condition = application.is_ready if ready else lambda: _answers(application)
        wait_until(condition, f"the application is up, see {log}")
        yield application
    finally:
        if process.poll() is None:
            for worker in application.workers():
                os.kill(worker, signal.SIGKILL)
            process.kill()
            process.wait()


def _answers(application: Application) -> bool:
    try:
        return application.get("/health/live").status == 200
    except OSError:
        return False


@dataclass
class Load:
    """Clients in a loop on keep-alive connections, as a proxy's are."""

    application: Application
    path: str = "/api/v1/instruments/EUR_USD"
    clients: int = 4
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._loop) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _loop(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.application.port, timeout=10)
        while not self._stop.is_set():
            if connection.sock is None:
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    # It has stopped accepting: a proxy goes elsewhere, nothing is lost.
                    return
            try:
                answer = ask(connection, self.path)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            self.answered += 1
            if answer.status != 200:
                self.failures.append(f"{answer.status} {answer.body!r}")
            if answer.headers.get("connection") == "close":
                connection.close()
