"""A lost cluster's servers, started by hand as a person would on an empty machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import Cluster, eventually

LOST = ("consul-1", "vault", "nomad-1", "redis")
NOT_READY = {429, 500, 502, 503}
BY_HAND = ("s3", "vault", "consul-1", "nomad-1")


@dataclass(frozen=True)
class Started:
    """How a server was started, so that it can be started again."""

    argv: list[str]
    environ: dict[str, str]
    cwd: str

    @classmethod
    def of(cls, pid: int) -> Started:
        """Read it from a running process."""
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")[:-1]
        environ = dict(pair.split("=", 1) for pair in pairs)
        return cls(words, environ, str(Path(f"/proc/{pid}/cwd").readlink()))

    def again(self, log: Path) -> None:
        """Start it; `dev up` knows it by its environment, and takes it over."""
        with log.open("ab") as output:
            subprocess.Popen(
                self.argv,
                cwd=self.cwd,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


@dataclass(frozen=True)
class Machine:
    """The machine of a cluster, whose servers and their data can be lost."""

    cluster: Cluster
    servers: dict[str, Started]

    @classmethod
    def of(cls, cluster: Cluster) -> Machine:
        """Remember how each server was started that is started by hand."""
        record = json.loads((cluster.state / "cluster.json").read_text())
        found = {name: Started.of(record["servers"][name]["identity"]["pid"]) for name in BY_HAND}
        return cls(cluster, found)

    def lose(self) -> None:
        """Stop everything, and delete all that Consul, Vault, Nomad and Redis know."""
        self.cluster.run("dev", "down")
        for name in LOST:
            shutil.rmtree(self.cluster.state / "data" / name, ignore_errors=True)
            assert not (self.cluster.state / "data" / name).exists()

    def start(self, name: str) -> None:
        """Start one server, with an empty data folder where it has none."""
        Path(self.servers[name].cwd).mkdir(parents=True, exist_ok=True)
        self.servers[name].again(self.cluster.state / "logs" / f"{name}.log")

    def ask(
        self, offset: int, path: str, body: Any = None, header: tuple[str, str] | None = None
    ) -> Any:
        """Ask a server's API, and wait until it is ready to answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.cluster.base + offset}/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method="GET" if body is None else "PUT",
            headers=dict([header]) if header else {},
        )

        def answer() -> list[Any]:
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    text = response.read()
            except urllib.error.HTTPError as error:
                # Not ready yet; anything else is an answer, and a wrong one.
                assert error.code in NOT_READY, f"{path}: {error.code} {error.read()!r}"
                return []
            except urllib.error.URLError:
                return []
            return [_parsed(text)]

        return eventually(answer, within=60, what=f"an answer to {path}")[0]


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode()
