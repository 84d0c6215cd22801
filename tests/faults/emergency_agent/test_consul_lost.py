"""Consul killed, without a leader, with an older past: no emergency is missed and none ends."""

from __future__ import annotations

import subprocess

from flowrex import keys
from tests.cluster import eventually
from tests.faults.emergency_agent.conftest import Node

HALT = '{"level": "halt", "reason": "r", "by": "ann", "at": "2026-03-01T12:00:00+00:00"}'


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a life that does not kill itself, and return what is wrong."""
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out.strip()


def test_an_emergency_that_begins_as_soon_as_consul_is_back_is_heard(node: Node) -> None:
    process = node.begin()
    eventually(lambda: node.acknowledged, what="the agent's first word")
    node.consul.kill()
    node.consul.start()
    node.consul.client.kv_put(keys.EMERGENCY, HALT)
    assert ended(process) == ""
    assert node.lines("ran") == ["halt"]


def test_one_that_began_and_is_on_when_consul_comes_back_is_heard(node: Node) -> None:
    node.consul.client.kv_put(keys.EMERGENCY, HALT)
    node.consul.kill()
    process = node.begin()
    node.consul.start()
    assert ended(process) == ""
    assert node.lines("ran") == ["halt"]
    assert len(node.lines("backups")) == 1


def test_a_consul_with_an_older_past_does_not_end_it_and_begins_no_other(node: Node) -> None:
    node.consul.kill()
    node.consul.keep()
    node.consul.start()
    for number in range(30):
        node.consul.client.kv_put("flowrex/test/other", str(number))
    node.consul.client.kv_put(keys.EMERGENCY, HALT)
    assert node.live() == (0, "")
    node.consul.kill()
    node.consul.bring_back()
    node.consul.start()
    assert node.consul.client.kv_get(keys.EMERGENCY) is None
    # Written again, with a far lower index: the same emergency, whose steps are done.
    node.consul.client.kv_put(keys.EMERGENCY, HALT)
    assert node.live() == (0, "")
    assert node.lines("ran") == ["halt"]
    assert len(node.lines("backups")) == 1


def test_another_emergency_while_the_agent_was_dead_is_another(node: Node) -> None:
    node.consul.client.kv_put(keys.EMERGENCY, HALT)
    assert node.live() == (0, "")
    node.consul.client.kv_put(keys.EMERGENCY, HALT.replace('"r"', '"another"'))
    assert node.live() == (0, "")
    assert node.lines("ran") == ["halt", "halt"]
    assert len(node.messages) == 2
