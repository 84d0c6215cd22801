"""kill -9 before every step of saving a removed file: its lines are there once, or counted."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from agents.audit.lane import Lane
from agents.audit.removed import Removed
from agents.audit.ship import Shipper
from agents.clock import SystemClock
from flowrex.audit.segment import Opened, original
from tests.faults.audit.shipping import Shipping, drain, kill_before

pytestmark = pytest.mark.ci

_MANY_STEPS = 100


def started(shipping: Shipping) -> tuple[Shipper, Removed]:
    shipper = shipping.shipper()
    shipper.tail.keep = shipping.folder / "removed"
    removed = Removed(
        shipper.tail, [Lane(shipper, SystemClock())], shipping.folder / "state" / "waiting"
    )
    removed.begin(time.monotonic())
    return shipper, removed


def stopped_until_killed(shipping: Shipping, step: int) -> bool:
    """See the file, see it removed, and stop in a process that is killed before its n-th step."""
    pid = os.fork()
    if pid == 0:
        shipper, removed = started(shipping)
        shipper.begin()
        shipper.tail.poll(time.monotonic())
        (shipping.folder / "logs" / "a.jsonl").unlink()
        shipper.tail.poll(time.monotonic())
        removed._note(time.monotonic(), 30)
        kill_before(step)
        removed.end(time.monotonic())
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_a_kill_before_any_step_of_saving(tmp_path: Path, address: str) -> None:
    outcomes = set()
    for step in range(1, _MANY_STEPS):
        node = f"removed-{step}"
        shipping = Shipping(tmp_path / node, address, address, node)
        shipping.writer.write(7)
        shipping.ship()
        shipping.writer.write(20)
        killed = stopped_until_killed(shipping, step)
        shipping.writer.write_first_in_line(3)
        shipper, removed = started(shipping)
        drain(shipper)
        removed.look(time.monotonic())
        left = shipping.writer.written[7:27]
        lines = [original(line) for body in shipping.objects().values() for line in _lines(body)]
        assert shipper.cursor is not None
        lost = sum(shipper.cursor.lost_bytes().values())
        if lost:
            assert lost == len(b"".join(left))
            shipping.writer.written = [one for one in shipping.writer.written if one not in left]
        assert sorted(lines) == sorted(shipping.writer.written)
        assert shipping.breaks() == []
        outcomes.add(bool(lost))
        if not killed:
            assert outcomes == {True, False}
            return
    raise AssertionError("saving never came to its end")


def _lines(body: bytes) -> list[bytes]:
    return list(Opened([body]).lines())
