"""A shipper on a real gateway, its files, and what must hold of the bucket in the end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agents.audit.choose import Readiness
from agents.audit.cut import Bounds
from agents.audit.ship import Shipper
from agents.audit.tail import Tail
from agents.sinks.s3 import S3Sink
from flowrex.audit.proof import Break, Proof, examine
from flowrex.audit.record import Link, Record, append, begin
from flowrex.audit.segment import Opened, original, prefix
from flowrex.audit.verify import Tip, join
from flowrex.errors import FlowrexError
from tests import gateway

BUCKET = "audit-faults"

# What Python tells of a program's own steps: files that are opened, moved and removed, requests
# that are sent. Between any two of them a death leaves something else behind.
_STEPS = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.truncate",
    "os.chmod",
    "http.client.send",
}


@dataclass
class Writer:
    """Processes that write audit files, and what they have written.

    Attributes:
        folder: where.
        written: every line.
    """

    folder: Path
    written: list[bytes] = field(default_factory=list)
    _links: dict[str, Link] = field(default_factory=dict)

    def write(self, count: int, name: str = "a.jsonl") -> None:
        lines = []
        for _ in range(count):
            record = Record(time=datetime.now(UTC), kind="request", path="/orders", status=201)
            line, self._links[name] = append(record, self._links.get(name) or begin())
            lines.append(line)
        with (self.folder / name).open("ab") as file:
            file.write(b"".join(lines))
        self.written += lines

    def write_first_in_line(self, count: int) -> None:
        """Write to a file whose age puts it before all others in a shipper that starts."""
        self.write(count, "0.jsonl")
        os.utime(self.folder / "0.jsonl", (0, 0))

    def rotate(self, name: str = "a.jsonl") -> None:
        (self.folder / name).rename(self.folder / f"{name}.{time.time_ns()}")


@dataclass
class Shipping:
    """One node.

    Attributes:
        folder: for its files and its state.
        address: the gateway's, or a proxy's before it.
        direct: the gateway's.
        node: its name.
        now: tells the time.
        timeout_s: of each request.
        state: the cursor's and the spool's folder; beside the files unless given.
        bucket: where to.
        locked: whether objects are locked.
    """

    folder: Path
    address: str
    direct: str
    node: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    timeout_s: float = 5
    state: Path | None = None
    bucket: str = BUCKET
    locked: bool = True

    def __post_init__(self) -> None:
        (self.folder / "logs").mkdir(parents=True)
        self.sources = {"trading": [str(self.folder / "logs" / "*.jsonl*")]}
        self.writer = Writer(self.folder / "logs")

    def shipper(self) -> Shipper:
        """Return a shipper as a process that starts has it."""
        client = gateway.client(self.address, timeout_s=self.timeout_s)
        sink = S3Sink(
            lambda: client,
            self.bucket,
            retention={"trading": timedelta(days=400)},
            lock="GOVERNANCE" if self.locked else None,
            now=lambda: self.now(),
        )
        return Shipper(
            sink,
            Tail(self.sources, settle_s=0),
            self.state or self.folder / "state",
            self.node,
            Bounds(bytes=4000, lines=1000, longest_line=4096),
            Readiness(bytes=4000, age_s=0),
            now=lambda: self.now(),
            monotonic=time.monotonic,
        )

    def ship(self) -> None:
        """Ship all there is; what fails is raised."""
        drain(self.shipper())

    def ship_until(self, within_s: float = 20) -> list[str]:
        """Ship all there is, trying again what fails, and return what failed."""
        shipper, failed = self.shipper(), list[str]()
        end = time.monotonic() + within_s
        while True:
            try:
                drain(shipper)
            except (FlowrexError, OSError) as error:
                failed.append(str(error))
                assert time.monotonic() < end, f"it does not get on: {error}"
                time.sleep(0.05)
            else:
                return failed

    def killed_at(self, step: int) -> bool:
        """Ship in a process that is killed before its n-th step; tell whether it came so far."""
        pid = os.fork()
        if pid == 0:
            try:
                shipper = self.shipper()
                kill_before(step)
                drain(shipper)
            except BaseException as error:
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return True
        assert os.waitstatus_to_exitcode(status) == 0, "it failed before it was killed"
        return False

    def assert_all_there_once(self) -> None:
        """Read the bucket: every line that was written once, and the chain whole."""
        lines = [original(line) for body in self.objects().values() for line in _lines(body)]
        assert sorted(lines) == sorted(self.writer.written)
        assert self.breaks() == []

    def objects(self) -> dict[str, bytes]:
        """Return what the bucket has of this node."""
        store, found = gateway.client(self.direct), {}
        for entry in store.list(self.bucket, prefix(self.node)):
            with store.stream(self.bucket, entry.key) as pieces:
                found[entry.key] = b"".join(pieces)
        return found

    def breaks(self) -> list[Break]:
        """Return what the proof finds, the agent's own word of its end compared."""
        cursor = self.shipper().begin()  # which delivers what was spooled
        results = [examine(key, [body]) for key, body in self.objects().items()]
        proofs = [one for one in results if isinstance(one, Proof)]
        tips = {self.node: Tip(cursor.number, cursor.digest)}
        return [one for one in results if isinstance(one, Break)] + join(proofs, tips=tips)


def _lines(body: bytes) -> list[bytes]:
    return list(Opened([body]).lines())


def drain(shipper: Shipper) -> None:
    """Poll and ship until nothing is left."""
    quiet = 0
    while quiet < 2:
        shipper.tail.poll(time.monotonic())
        quiet = 0 if shipper.step(flush=True) else quiet + 1


def kill_before(step: int) -> None:
    """Kill this process before its n-th step from now."""
    steps = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if event in _STEPS:
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
