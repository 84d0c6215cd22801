"""Every node's agent is shown: by its own word, by Consul's check, or as missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowrex.consul import ServiceCheck
from flowrex.testing.consul import FakeConsul
from generator import agents

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def document(**more: Any) -> dict[str, Any]:
    return {
        "environment": "prod",
        "version": "1.2.3",
        "state": "running",
        "at": (NOW - timedelta(seconds=20)).isoformat(),
        "check": {"status": "passing", "output": "2 tasks run"},
        "problems": [],
        "tasks": {"audit": {"state": "running"}, "backup": {"state": "running"}},
        **more,
    }


@pytest.fixture
def consul() -> FakeConsul:
    return FakeConsul()


def told(consul: FakeConsul, node: str, said: object, check: str | None = "passing") -> None:
    consul.kv_put(f"flowrex/agents/{node}", json.dumps(said))
    if check is not None:
        found = consul.checks.setdefault("flowrex-agent", [])
        name = f"flowrex-agent-{node}"
        found.append(ServiceCheck(name, name, "what it says", check, "TTL expired"))


def read(consul: FakeConsul, *nodes: str) -> list[agents.NodeAgent]:
    return agents.read(consul, "prod", nodes, NOW)  # type: ignore[arg-type]


def test_an_agent_that_is_well_has_its_age_and_its_tasks(consul: FakeConsul) -> None:
    told(consul, "node-1", document())
    (one,) = read(consul, "node-1")
    assert (one.status, one.age_s, one.version) == ("passing", 20.0, "1.2.3")
    assert one.tasks == {"audit": "running", "backup": "running"}
    assert one.problems == ()


def test_a_node_that_never_had_an_agent_is_missing(consul: FakeConsul) -> None:
    told(consul, "node-2", document())
    found = read(consul, "node-1", "node-2")
    assert [(one.node, one.status) for one in found] == [
        ("node-1", "missing"),
        ("node-2", "passing"),
    ]


def test_another_environments_agents_are_not_shown(consul: FakeConsul) -> None:
    told(consul, "node-9", document(environment="staging"))
    assert read(consul) == []


def test_the_check_is_the_newer_word(consul: FakeConsul) -> None:
    told(consul, "node-1", document(), check="critical")
    (one,) = read(consul)
    assert one.status == "critical"
    assert one.problems == ("Consul's check says: TTL expired",)


def test_an_agent_that_was_stopped_is_critical(consul: FakeConsul) -> None:
    told(consul, "node-1", document(state="stopped"))
    (one,) = read(consul)
    assert (one.status, one.problems) == ("critical", ("it was stopped",))


def test_a_silent_agent_is_critical_whatever_it_said(consul: FakeConsul) -> None:
    told(consul, "node-1", document(at=(NOW - timedelta(minutes=10)).isoformat()))
    (one,) = read(consul)
    assert one.status == "critical"
    assert one.problems == ("it has not told of itself for 600 s",)


def test_an_agent_without_a_check_is_critical(consul: FakeConsul) -> None:
    told(consul, "node-1", document(), check=None)
    (one,) = read(consul)
    assert one.status == "critical"


@pytest.mark.parametrize("said", [[], {}, {"environment": "prod"}, {"at": "soon"}, "on"])
def test_what_is_no_document_is_shown_as_such(consul: FakeConsul, said: object) -> None:
    told(consul, "node-1", said)
    (one,) = read(consul)
    assert one.status == "unreadable"


def test_what_the_audit_log_is_behind_with_is_told_by_sink(consul: FakeConsul) -> None:
    sinks = {"s3": {"lag": {"bytes": 2_400_000, "seconds": 90.0}}, "syslog": {"lag": {"bytes": 0}}}
    told(consul, "node-1", document(tasks={"audit": {"state": "running", "sinks": sinks}}))
    (one,) = read(consul)
    assert one.lag == "s3: 2 MB, 1m"
