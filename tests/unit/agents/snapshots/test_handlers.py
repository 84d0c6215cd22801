"""What operators may ask of snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.requests.handler import Refused
from agents.snapshots.handlers import handlings
from flowrex.errors import ServerRefused, UsageError
from flowrex.node_requests import Request
from tests.unit.agents.snapshots.test_task import Node

Ask = Callable[..., Mapping[str, Any]]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def ask(node: Node) -> Ask:
    done = handlings(lambda _: node.work)

    def ask(kind: Any, **arguments: str) -> Mapping[str, Any]:
        request = Request("1", kind, arguments, "ops", node.clock.now().isoformat())
        handle = done[kind].handle
        return handle(request, node.context, lambda message, **result: None)

    return ask


def test_all_of_them_are_taken_unless_one_is_named(ask: Ask, node: Node) -> None:
    assert [one["of"] for one in ask("snapshot_take")["taken"]] == ["consul", "nomad"]
    node.clock.time += timedelta(seconds=1)
    assert [one["of"] for one in ask("snapshot_take", of="nomad")["taken"]] == ["nomad"]


def test_one_server_that_is_away_costs_no_other_its_snapshot_and_is_no_success(
    ask: Ask, node: Node
) -> None:
    node.servers["consul"].away = True
    with pytest.raises(ServerRefused, match=r"consul: it went away\. Good: nomad"):
        ask("snapshot_take")
    assert node.counts() == {"consul": 0, "nomad": 1}


def test_they_are_listed_and_read_again(ask: Ask) -> None:
    ask("snapshot_take")
    listed = ask("snapshot_list")["snapshots"]
    assert [(one["of"], one["state"]) for one in listed] == [("consul", "good"), ("nomad", "good")]
    assert ask("snapshot_verify")["good"] is True


def test_a_broken_one_is_told_beside_the_good(ask: Ask, node: Node) -> None:
    ask("snapshot_take")
    node.servers["nomad"].tail = b"another end"
    found = ask("snapshot_verify")
    assert found["good"] is False
    assert {one["of"]: one["good"] for one in found["verified"]} == {"consul": True, "nomad": False}


def test_what_makes_no_sense_is_refused(ask: Ask) -> None:
    with pytest.raises(UsageError, match="not switched on"):
        ask("snapshot_take", of="redis")
    with pytest.raises(UsageError, match="of which server"):
        ask("snapshot_verify", name="manual_20260301_120000")
    with pytest.raises(Refused, match="no argument"):
        ask("snapshot_take", surprise="1")
