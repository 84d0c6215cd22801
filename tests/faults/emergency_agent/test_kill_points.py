"""`kill -9` at every step of an emergency: the next life goes on, and repeats what it may only."""

from __future__ import annotations

import shutil

import pytest

from flowrex import keys
from tests.faults.emergency_agent.conftest import Node

# The journal is written at the beginning and around each of the four steps, the message once.
STEPS = range(1, 13)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_death_at_every_step(node: Node, when: str) -> None:
    reached, problem = 0, ""
    for at in STEPS:
        index = _emergency(node, at)
        before = {name: len(node.lines(name)) for name in ("ran", "backups")}
        status, _ = node.live(at, when)
        died = status == -9
        reached += died
        _, problem = node.live()
        hooked = len(node.lines("ran")) - before["ran"]
        backed = len(node.lines("backups")) - before["backups"]
        if problem:
            # It died between the note that the hook begins and the note of how it ended.
            assert problem == "hook 10-note: the agent ended while it ran"
            assert hooked <= 1
        else:
            assert hooked == 1
        # Killed after the backup and before the note of it, one more is taken; never none.
        assert backed in ((1, 2) if died else (1,))
        assert node.messages.count(f"emergency-{index}-halt") == 1
        assert node.acknowledged
    assert reached >= 9, "the kill points lie on the way"
    ran = node.lines("ran")
    assert node.live() == (0, problem), "what was cut off stays reported"
    assert node.lines("ran") == ran, "another life repeats nothing"


def _emergency(node: Node, number: int) -> int:
    """Begin another emergency, on a node that knows of none."""
    client = node.consul.client
    client.kv_put(
        keys.EMERGENCY,
        f'{{"level": "halt", "reason": "number {number}", "by": "ann", "at": ""}}',
    )
    shutil.rmtree(node.folder / "state" / "emergency", ignore_errors=True)
    entry = client.kv_get(keys.EMERGENCY)
    assert entry is not None
    return entry.modify_index
