"""kill -9 before every single step of shipping: nothing is lost, nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.audit.shipping import Shipping

_MANY_STEPS = 500


@pytest.mark.parametrize(
    "again",
    [pytest.param(False, marks=pytest.mark.ci, id="once"), pytest.param(True, id="and once more")],
)
def test_a_kill_before_any_step(tmp_path: Path, address: str, again: bool) -> None:
    for step in range(1, _MANY_STEPS):
        node = f"killed{'-again' if again else ''}-{step}"
        shipping = Shipping(tmp_path / node, address, address, node)
        shipping.writer.write(12)
        shipping.writer.write(5, "b.jsonl")
        killed = shipping.killed_at(step)
        shipping.writer.write_first_in_line(3)
        shipping.writer.rotate()
        shipping.writer.write(2)
        if again:
            shipping.killed_at(step % 17 + 1)
        shipping.ship()
        shipping.assert_all_there_once()
        if not killed:
            assert step > 20, "hardly a step was taken"
            return
    raise AssertionError("shipping never came to its end")


@pytest.mark.ci
@pytest.mark.parametrize("lost", ["cursor", "segment", "both"])
def test_a_kill_and_then_its_memory_is_lost(tmp_path: Path, address: str, lost: str) -> None:
    for step in range(3, _MANY_STEPS, 4):
        node = f"lost-{lost}-{step}"
        shipping = Shipping(tmp_path / node, address, address, node)
        shipping.writer.write(20)
        killed = shipping.killed_at(step)
        state = shipping.folder / "state"
        if lost in {"cursor", "both"} and state.exists():
            (state / "cursor").write_bytes(b'{"cursor":1}\nnot its checksum\n')
        if lost in {"segment", "both"}:
            (state / "segment").unlink(missing_ok=True)
        shipping.writer.write_first_in_line(3)
        shipping.ship()
        shipping.assert_all_there_once()
        if not killed:
            return
    raise AssertionError("shipping never came to its end")
