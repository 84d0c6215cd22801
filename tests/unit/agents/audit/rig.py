"""A shipper with its files in a temporary folder and its sink in memory, and no real time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agents.audit.choose import Readiness
from agents.audit.cut import Bounds
from agents.audit.lane import Lane
from agents.audit.removed import Removed
from agents.audit.ship import Shipper
from agents.audit.tail import Tail
from agents.sinks import Occupied, Segment, Stored
from flowrex.audit.proof import Break, Proof, examine
from flowrex.audit.segment import Opened, from_metadata, original
from flowrex.audit.verify import Tip, join
from flowrex.errors import ServerUnreachable
from flowrex.testing.clock import FakeClock


@dataclass
class MemorySink:
    """A bucket in memory that can fail before or after it has taken a segment.

    Attributes:
        objects: what it holds, by name.
        refuse: deliveries to refuse before anything is kept.
        forget_to_say: deliveries after which the answer is lost.
    """

    name: str = "memory"
    objects: dict[str, Segment] = field(default_factory=dict)
    refuse: int = 0
    forget_to_say: int = 0

    def deliver(self, segment: Segment) -> None:
        if self.refuse:
            self.refuse -= 1
            raise ServerUnreachable("the sink is away")
        there = self.objects.get(segment.head.key)
        if there is not None and there.digest != segment.digest:
            raise Occupied(self._stored(there))
        self.objects.setdefault(segment.head.key, segment)
        if self.forget_to_say:
            self.forget_to_say -= 1
            raise ServerUnreachable("the connection broke before the answer")

    def find(self, keys: Collection[str]) -> list[Stored]:
        return [self._stored(self.objects[key]) for key in keys if key in self.objects]

    def ends(self, node: str, gets_on: Callable[[], None]) -> Iterator[Stored]:
        last: dict[str, Segment] = {}
        for segment in list(self.objects.values()):
            gets_on()
            head = segment.head
            file = f"{head.category}/{head.file}"
            if head.node == node and (file not in last or last[file].head.start < head.start):
                last[file] = segment
        yield from map(self._stored, last.values())

    def _stored(self, segment: Segment) -> Stored:
        head = segment.head
        return Stored(from_metadata(head.key, head.metadata()), segment.digest)

    def close(self) -> None:
        pass


@dataclass
class Rig:
    """The walk from files to a sink.

    Attributes:
        folder: a temporary folder.
        sink: where it goes.
        time: the monotonic clock.
    """

    folder: Path
    sink: MemorySink = field(default_factory=MemorySink)
    time: float = 1000

    def __post_init__(self) -> None:
        self.logs = self.folder / "audit"
        self.logs.mkdir()
        self.start()

    def start(self) -> None:
        """Start the shipper, or start it again after a crash: what was in memory is gone."""
        if hasattr(self, "tail"):
            self.tail.close()
        self.tail: Tail = Tail(
            {"trading": [str(self.logs / "*.jsonl*")]}, settle_s=5, keep=self.folder / "removed"
        )
        self.shipper = Shipper(
            self.sink,
            self.tail,
            self.folder / "state",
            "n1",
            Bounds(bytes=400, lines=50, longest_line=500),
            Readiness(bytes=400, age_s=5, partial_s=10_000),
            now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC),
            monotonic=lambda: self.time,
        )
        clock = FakeClock()
        clock.monotonic = lambda: self.time  # type: ignore[method-assign]
        lanes = [Lane(self.shipper, clock)]
        self.removed = Removed(self.tail, lanes, self.folder / "state" / "waiting")
        self.removed.begin(self.time)

    def stop(self) -> None:
        """End in order, with nothing more shipped, and start again."""
        self.poll()
        self.tail.now_finished()
        self.removed.end(self.time)
        self.start()

    def poll(self) -> None:
        self.tail.poll(self.time)

    def ship(self, *, flush: bool = True) -> None:
        """Poll and ship until nothing is left that can be shipped; failures are tried again."""
        self.poll()
        for _ in range(10_000):
            try:
                if not self.shipper.step(flush=flush):
                    cursor = self.shipper.cursor
                    if not self.shipper.step(flush=flush) and cursor is self.shipper.cursor:
                        return
            except ServerUnreachable:
                continue
        raise AssertionError("it ships for ever")

    def finish(self) -> None:
        """Ship all there is, also what waits for a file to be finished."""
        self.ship()
        self.time += 100
        self.ship()

    def path(self, name: str = "a.jsonl") -> Path:
        return self.logs / name

    def write(self, content: bytes, name: str = "a.jsonl") -> None:
        with self.path(name).open("ab") as file:
            file.write(content)

    def shipped(self) -> list[bytes]:
        """Return every line in the sink as it was in its file, segment by segment."""
        lines: list[bytes] = []
        for segment in sorted(self.sink.objects.values(), key=lambda one: one.head.number):
            lines += map(original, segment.lines())
        return lines

    def breaks(self) -> list[Break]:
        """Return what the proof finds."""
        results = [examine(key, [one.body]) for key, one in self.sink.objects.items()]
        bad = [one for one in results if isinstance(one, Break)]
        cursor = self.shipper.cursor
        tips = {"n1": Tip(cursor.number, cursor.digest)} if cursor else {}
        return bad + join([one for one in results if isinstance(one, Proof)], tips=tips)

    def heads(self) -> list[str]:
        return [Opened([one.body]).head.key for one in self.sink.objects.values()]
