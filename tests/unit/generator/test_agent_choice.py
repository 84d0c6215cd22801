"""An agent is chosen by what it says that it can do."""

from __future__ import annotations

from typing import Any

import pytest

from flowrex import keys
from flowrex.errors import ServerUnreachable, UsageError
from flowrex.testing.consul import FakeConsul
from generator import agent_choice
from tests.unit.generator.answering import publish


@pytest.fixture
def consul() -> FakeConsul:
    consul = FakeConsul()
    publish(consul)
    return consul


def choose(consul: Any, environment: str, kind: Any, node: str | None = None) -> str:
    return agent_choice.choose(consul, environment, kind, node)


def test_the_agent_that_can_and_runs_is_chosen(consul: FakeConsul) -> None:
    publish(consul, "n0", does=("list",))
    publish(consul, "n00", state="stopped")
    publish(consul, "p1", environment="prod")
    consul.kv_put(keys.agent("broken"), b"\xff")
    assert choose(consul, "dev", "backup") == "n1"
    assert choose(consul, "dev", "list") == "n0"
    assert choose(consul, "dev", "list", "n1") == "n1"


def test_a_node_that_does_not_do_it_is_a_mistake(consul: FakeConsul) -> None:
    with pytest.raises(UsageError, match="on 'n9' does backup") as caught:
        choose(consul, "dev", "backup", "n9")
    assert caught.value.hint == "Those that do: n1."


def test_where_no_agent_runs_that_does_it_is_out_of_reach(consul: FakeConsul) -> None:
    publish(consul, state="stopped")
    with pytest.raises(ServerUnreachable, match="no agent of dev runs that does backup"):
        choose(consul, "dev", "backup")


def test_the_hint_names_the_section_that_switches_it_on(consul: FakeConsul) -> None:
    sections = {"restore": "backup", "physical_restore": "physical", "snapshot_take": "snapshots"}
    publish(consul, does=())
    for kind, section in sections.items():
        with pytest.raises(ServerUnreachable) as caught:
            choose(consul, "dev", kind)
        assert f" {section}.enabled" in str(caught.value.hint)


def test_who_can_is_who_runs_and_does_it(consul: FakeConsul) -> None:
    publish(consul, "n2", does=("physical_restore",))
    publish(consul, "n3", does=("physical_restore",), state="stopped")

    def able(node: str | None = None) -> list[str]:
        found = agent_choice.able(consul, "dev", "physical_restore", node)  # type: ignore[arg-type]
        return [one.node for one in found]

    assert able() == ["n2"]
    assert able("n2") == ["n2"]
    assert able("n1") == []
