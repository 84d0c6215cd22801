"""Rotations, truncations, removals, failures and crashes in any order: every line exactly once."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flowrex.audit.record import Link, Record, append, begin
from flowrex.errors import ServerUnreachable
from tests.unit.agents.audit.rig import Rig
from tests.unit.flowrex.audit.trail import TIME

NAMES = st.sampled_from(["a.jsonl", "b.jsonl"])


class AnyOrder(RuleBasedStateMachine):
    """A writer for each name, an agent, and everything that may happen to both."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.rig = Rig(self.folder)
        self.expected: list[bytes] = []
        self.links: dict[str, Link] = {}
        self.half: dict[str, bytes] = {}
        self.removed = False

    def teardown(self) -> None:
        while self.half:
            self.complete_the_line(next(iter(self.half)))
        self.rig.finish()
        assert sorted(self.rig.shipped()) == sorted(self.expected)
        assert self.rig.breaks() == []
        self.rig.tail.close()
        shutil.rmtree(self.folder)

    def line(self, name: str) -> bytes:
        record = Record(time=TIME, kind="request", path="/orders")
        line, self.links[name] = append(record, self.links.get(name) or begin())
        self.expected.append(line)
        return line

    @rule(name=NAMES, count=st.integers(1, 6))
    def write(self, name: str, count: int) -> None:
        self.complete_the_line(name)
        self.rig.write(b"".join(self.line(name) for _ in range(count)), name)

    @rule(name=NAMES, bad=st.sampled_from([b"plain", b"\xff", b" " * 7, b"x" * 1200]))
    def write_what_is_no_line(self, name: str, bad: bytes) -> None:
        self.complete_the_line(name)
        # Two files that are the same byte for byte are taken for a file and its copy.
        bad += b" %d\n" % len(self.expected)
        self.rig.write(bad, name)
        # What is too long is kept in pieces as long as a block.
        self.expected += [bad[at : at + 501] for at in range(0, len(bad), 501)]

    @rule(name=NAMES, at=st.integers(1, 60))
    def write_half_a_line(self, name: str, at: int) -> None:
        self.complete_the_line(name)
        line = self.line(name)
        self.rig.write(line[:at], name)
        self.half[name] = line[at:]

    @rule(name=NAMES)
    def complete_the_line(self, name: str) -> None:
        if rest := self.half.pop(name, b""):
            self.rig.write(rest, name)

    @rule(name=NAMES)
    def rename(self, name: str) -> None:
        self.complete_the_line(name)
        if self.rig.path(name).exists():
            self.shift(name)
            self.rig.path(name).rename(self.rig.path(f"{name}.1"))

    @rule(name=NAMES)
    def copytruncate(self, name: str) -> None:
        self.complete_the_line(name)
        if self.rig.path(name).exists():
            self.shift(name)
            shutil.copyfile(self.rig.path(name), self.rig.path(f"{name}.1"))
            os.truncate(self.rig.path(name), 0)

    def shift(self, name: str) -> None:
        older = sorted(self.rig.logs.glob(f"{name}.*"), key=lambda path: -int(path.suffix[1:]))
        for path in older:
            path.rename(path.with_suffix(f".{int(path.suffix[1:]) + 1}"))

    @rule(name=NAMES)
    def remove_after_a_poll(self, name: str) -> None:
        self.complete_the_line(name)
        self.rig.poll()
        if self.rig.path(name).exists() and not self.copies_wait(name):
            self.rig.path(name).unlink()
            self.removed = True

    def copies_wait(self, name: str) -> bool:
        return any(self.rig.logs.glob(f"{name}.*"))

    @rule(seconds=st.sampled_from([0.5, 3, 8]))
    def time_passes(self, seconds: float) -> None:
        self.rig.time += seconds

    @rule()
    def poll(self) -> None:
        self.rig.poll()

    @rule(flush=st.booleans())
    def step(self, flush: bool) -> None:
        self.rig.poll()
        with contextlib.suppress(ServerUnreachable):
            self.rig.shipper.step(flush=flush)

    @rule(refuse=st.integers(0, 3), forget=st.integers(0, 3))
    def the_sink_fails(self, refuse: int, forget: int) -> None:
        self.rig.sink.refuse, self.rig.sink.forget_to_say = refuse, forget

    @rule()
    def the_agent_is_stopped_while_the_sink_is_away(self) -> None:
        self.rig.stop()
        self.removed = False

    @rule(damage=st.sampled_from(["no", "cursor", "both"]))
    def the_agent_is_killed(self, damage: str) -> None:
        if self.removed:  # what is removed while no agent runs is nobody's to read
            self.rig.ship()
            self.removed = False
        state = self.rig.folder / "state"
        if damage != "no" and state.exists():
            (state / "cursor").write_bytes(b"damaged")
        if damage == "both":
            (state / "segment").unlink(missing_ok=True)
        self.rig.start()

    @invariant()
    def nothing_is_there_twice(self) -> None:
        shipped = self.rig.shipped()
        for line in set(shipped):
            assert shipped.count(line) <= max(1, self.expected.count(line))


AnyOrder.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, derandomize=True
)
TestAnyOrder = AnyOrder.TestCase
