"""Consul's leader is lost: what is written before and afterwards is heard all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex import keys
from tests.cluster import eventually
from tests.faults.emergency_agent.conftest import Node, Server, hook_that_notes
from tests.faults.emergency_agent.test_consul_lost import HALT, ended

pytestmark = pytest.mark.ci


def leader_of(servers: list[Server]) -> Server:
    name = servers[0].client.leader()
    return next(one for one in servers if name.endswith(f":{one.raft}"))


def test_a_follower_whose_leader_dies_tells_of_what_comes_next(
    three: list[Server], tmp_path: Path
) -> None:
    leader = leader_of(three)
    follower, other = (one for one in three if one is not leader)
    node = Node(hook_that_notes(tmp_path), follower)
    process = node.begin()
    eventually(lambda: node.acknowledged, what="the agent's first word")
    leader.kill()
    # By whichever server takes it first; the agent asks the other one.
    eventually(other.leads, within=60, every=0.05, what="another leader")
    other.client.kv_put(keys.EMERGENCY, HALT)
    assert ended(process) == ""
    assert node.lines("ran") == ["halt"]
    assert len(node.lines("backups")) == 1


def test_what_was_written_to_a_leader_that_dies_at_once_is_heard(
    three: list[Server], tmp_path: Path
) -> None:
    leader = leader_of(three)
    follower = next(one for one in three if one is not leader)
    node = Node(hook_that_notes(tmp_path), follower)
    process = node.begin()
    eventually(lambda: node.acknowledged, what="the agent's first word")
    leader.client.kv_put(keys.EMERGENCY, HALT)
    leader.kill()
    assert ended(process) == ""
    assert node.lines("ran") == ["halt"]


def test_an_agent_beside_the_leader_that_dies_hears_when_it_is_back(
    three: list[Server], tmp_path: Path
) -> None:
    leader = leader_of(three)
    other = next(one for one in three if one is not leader)
    node = Node(hook_that_notes(tmp_path), leader)
    process = node.begin()
    eventually(lambda: node.acknowledged, what="the agent's first word")
    leader.kill()
    eventually(other.leads, within=60, every=0.05, what="another leader")
    other.client.kv_put(keys.EMERGENCY, HALT)
    leader.start()
    assert ended(process) == ""
    assert node.lines("ran") == ["halt"]
