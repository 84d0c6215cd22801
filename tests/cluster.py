"""A dev cluster of the tests' own, beside any that the user runs: other ports, another folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from tests import schemas

ROOT = Path(__file__).resolve().parent.parent
FLOWREXCTL = Path(sys.executable).with_name("flowrexctl")

_FOREIGN = ("NOMAD_", "CONSUL_", "VAULT_", "FLOWREX_")
_KEPT = ("FLOWREX_CACHE_DIR", "FLOWREX_NOMAD", "FLOWREX_CONSUL", "FLOWREX_VAULT")


def heed_interruptions() -> None:
    """Let a child end on what its runner may ignore, as nohup or a shell's background has it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@dataclass(frozen=True)
class Cluster:
    """A running cluster and the copy of the project that is deployed on it.

    Attributes:
        project: the copy, so that a test may change it and its builds are its own.
        state: the cluster's folder.
        base: its first port.
        more: more variables for each flowrexctl.
    """

    project: Path
    state: Path
    base: int
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def entry(self) -> str:
        """Where nginx answers."""
        return f"http://127.0.0.1:{self.base + 80}"

    def environ(self, **more: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_FOREIGN) or name in _KEPT
        }
        return {
            **kept,
            "FLOWREX_ROOT": str(self.project),
            "FLOWREX_DEV_DIR": str(self.state),
            "FLOWREX_DEV_PORT_BASE": str(self.base),
            **self.more,
            **more,
        }

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start flowrexctl and leave it running."""
        return subprocess.Popen(
            [FLOWREXCTL, *arguments],
            env=self.environ(**more),
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interruptions,
        )

    def run(
        self, *arguments: str, expect: int | tuple[int, ...] = 0, timeout: float = 300, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run flowrexctl to its end and insist on its exit status."""
        process = self.start(*arguments, **more)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} took over {timeout} s\n{out}\n{err}") from None
        expected = (expect,) if isinstance(expect, int) else expect
        assert process.returncode in expected, (
            f"flowrexctl {' '.join(arguments)} ended with {process.returncode}, not {expected}\n"
            f"{out}\n{err}"
        )
        assert "Traceback" not in out + err, out + err
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def document(self, *arguments: str, expect: int | tuple[int, ...] = 0) -> Any:
        """Run flowrexctl with --json and return its document, which has to fit its schema."""
        done = self.run(*arguments, "--json", expect=expect)
        document = json.loads(done.stdout)
        wrong = schemas.wrong_of(document, arguments, done.returncode)
        assert wrong is None, f"flowrexctl {' '.join(arguments)}: {wrong}\n{document}"
        return document

    def get(self, path: str, timeout: float = 10) -> Any:
        """Ask the platform through nginx."""
        with urllib.request.urlopen(self.entry + path, timeout=timeout) as answer:
            return json.load(answer)

    def nomad(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        method: str | None = None,
        timeout: float = 10,
    ) -> Any:
        """Ask Nomad's API, as its UI does."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.base + 46}/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Nomad-Token": self.token("nomad")},
            method=method or ("GET" if body is None else "PUT"),
        )
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)

    def allocations(self, job: str) -> list[dict[str, Any]]:
        """Return a job's allocations that run or are about to."""
        found = self.nomad(f"job/{job}/allocations")
        return [one for one in found if one["ClientStatus"] in {"pending", "running"}]

    @contextmanager
    def drained(self, name: str, job: str) -> Iterator[None]:
        """Drain a node until nothing of `job` is on it, and give it back after the block."""
        node = next(one["ID"] for one in self.nomad("nodes") if one["Name"] == name)
        spec = {"Deadline": 120_000_000_000, "IgnoreSystemJobs": True}
        assert any(one["NodeID"] == node for one in self.allocations(job)), f"none on {name}"
        self.nomad(f"node/{node}/drain", {"DrainSpec": spec})
        try:
            eventually(
                lambda: not any(one["NodeID"] == node for one in self.allocations(job)),
                within=90,
                what=f"the end of the last allocation on {name}",
            )
            yield
        finally:
            self.nomad(f"node/{node}/drain", {"DrainSpec": None, "MarkEligible": True})

    def token(self, server: str, role: str = "operator") -> str:
        return (self.state / "tokens" / f"{server}-{role}").read_text().strip()

    def server(self, name: str) -> dict[str, Any]:
        """Return what `dev status` says of one server."""
        document = self.document("dev", "status", expect=(0, 6))
        return next(one for one in document["servers"] if one["name"] == name)


@contextmanager
def running(
    base: int,
    *,
    nodes: int = 1,
    servers: int = 1,
    deploy: bool = True,
    shape: Callable[[Path], None] = lambda project: None,
    more: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Run a cluster, with the platform on it, and leave nothing of it.

    Args:
        base: its first port; it uses 2000.
        nodes: Nomad clients.
        servers: on so many of them there is a server of Nomad and one of Consul.
        deploy: whether the application is built and deployed.
        shape: changes the copy of the project before that.
        more: more variables for each flowrexctl.
    """
    reused = os.environ.get("FLOWREX_TEST_CLUSTER")
    folder = Path(reused) if reused else Path(tempfile.mkdtemp(prefix="flowrex-cluster-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    project = folder / "project"
    copy_project(project)
    shape(project)
    cluster = Cluster(project, folder / "state", base, more or {})
    try:
        size = ("--nodes", str(nodes), "--servers", str(servers))
        cluster.run("dev", "up", *size, timeout=1800)
        if deploy:
            cluster.run("build", "--push", "dev")
            cluster.run("run", "dev", "--yes", "--promote")
        yield cluster
    finally:
        if not reused:
            cluster.run("dev", "down", expect=tuple(range(10)))
            shutil.rmtree(folder, ignore_errors=True)


def copy_project(target: Path) -> None:
    """Copy what git knows of, and what it does not ignore, without history."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


T = TypeVar("T")


def eventually(
    probe: Callable[[], T | Literal[False, ""] | None],
    *,
    within: float = 30,
    every: float = 0.2,
    what: str = "it",
    instead: Callable[[], str] | None = None,
) -> T:
    """Return the first true answer of `probe`, or fail after `within` seconds.

    Args:
        probe: asked again and again.
        within: seconds.
        every: seconds from one time to the next.
        what: what was waited for.
        instead: tells what there is in its place; the failure says it.
    """
    deadline = time.monotonic() + within
    while True:
        if answer := probe():
            return answer
        if time.monotonic() > deadline:
            seen = f"; instead: {instead()}" if instead else ""
            raise AssertionError(f"{what} did not happen within {within} s{seen}")
        time.sleep(every)
