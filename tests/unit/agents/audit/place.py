"""A node's audit files, its sinks in memory and its task, which a test starts, stops and kills."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agents.audit.choose import Readiness
from agents.audit.cut import Bounds
from agents.audit.lane import Lane
from agents.audit.ship import Shipper
from agents.audit.tail import Tail
from agents.audit.task import Audit
from agents.context import Context
from agents.settings import load
from agents.sinks import Segment
from agents.supervised import Beat
from agents.wake import Wake
from flowrex.testing.clock import FakeClock
from tests.unit.agents.audit.rig import MemorySink

LINE = b'{"a":1}\n'


@dataclass
class ToldSink(MemorySink):
    """A sink that tells when it was tried and when it has something."""

    tried: threading.Event = field(default_factory=threading.Event)
    has: threading.Event = field(default_factory=threading.Event)

    def deliver(self, segment: Segment) -> None:
        self.tried.set()
        super().deliver(segment)
        self.has.set()


@dataclass
class Place:
    """A node's audit files, its sinks and its task."""

    folder: Path
    sinks: list[ToldSink]
    bandwidth: int = 0
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        (self.folder / "logs").mkdir(exist_ok=True)
        (self.folder / "agent.yaml").write_text("{}\n")
        self.clock = FakeClock()
        settings = replace(load(self.folder / "agent.yaml"), state_dir=str(self.folder / "state"))
        nobody: Callable[[], Any] = lambda: None  # noqa: E731
        self.context = Context(
            settings, "n1", nobody, nobody, nobody, clock=self.clock, wake=Wake(self.clock)
        )
        self.tail = Tail(
            {"trading": [str(self.folder / "logs" / "*.jsonl")]},
            keep=self.folder / "state" / "removed",
        )
        self.lanes = [self.lane(sink) for sink in self.sinks]
        self.task = Audit(self.context, self.tail, self.lanes, poll_s=1)
        self.beat = Beat(self.clock)

    def lane(self, sink: ToldSink) -> Lane:
        folder = self.folder / "state" / sink.name
        clock = self.clock
        shipper = Shipper(
            sink, self.tail, folder, "n1", self.bounds, Readiness(), clock.now, clock.monotonic
        )
        return Lane(shipper, clock, bandwidth=self.bandwidth)

    def write(self, content: bytes = LINE) -> Path:
        path = self.folder / "logs" / "a.jsonl"
        with path.open("ab") as file:
            file.write(content)
        return path

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the task for the length of a block, then cancel it as the supervisor does."""
        task = asyncio.create_task(self.task.run(self.beat))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
