"""Consul has the agent's service, check and document, and gets them again when it lost them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agents.context import Context
from agents.publish import Publisher
from flowrex.errors import ServerUnreachable
from flowrex.testing.consul import FakeConsul


def report(status: str = "passing", state: str = "running") -> dict[str, Any]:
    return {"state": state, "check": {"status": status, "output": "2 tasks run"}, "tasks": {}}


def checks(consul: FakeConsul) -> list[tuple[str, str]]:
    return [(one.check_id, one.status) for one in consul.checks_of("flowrex-agent")]


def test_the_first_time_registers_the_service_and_writes_the_document(
    context: Context, consul: FakeConsul
) -> None:
    Publisher(context, report).publish_now()
    assert checks(consul) == [("flowrex-agent-node-1", "passing")]
    entry = consul.kv_get("flowrex/agents/node-1")
    assert entry is not None
    assert json.loads(entry.value)["check"]["status"] == "passing"


def test_the_service_says_where_the_metrics_are(context: Context, consul: FakeConsul) -> None:
    Publisher(context, report).publish_now()
    (one,) = consul.services("flowrex-agent")
    assert (one.address, one.port) == ("127.0.0.1", 9877)


def test_a_later_time_updates_the_check(context: Context, consul: FakeConsul) -> None:
    said = [report("passing"), report("warning")]
    publisher = Publisher(context, lambda: said.pop(0))
    publisher.publish_now()
    publisher.publish_now()
    assert checks(consul) == [("flowrex-agent-node-1", "warning")]


def test_a_consul_that_forgot_the_service_gets_it_again(
    context: Context, consul: FakeConsul
) -> None:
    publisher = Publisher(context, report)
    publisher.publish_now()
    consul.deregister_service("flowrex-agent-node-1")
    publisher.publish_now()
    assert checks(consul) == [("flowrex-agent-node-1", "passing")]


def test_an_absent_consul_is_an_error_of_this_time_only(
    context: Context, consul: FakeConsul
) -> None:
    publisher = Publisher(context, report)
    consul.down = True
    with pytest.raises(ServerUnreachable):
        publisher.publish_now()
    consul.down = False
    publisher.publish_now()
    assert publisher.status()["published_at"] == "2026-03-01T12:00:00+00:00"


async def test_the_end_of_the_agent_is_told(context: Context, consul: FakeConsul) -> None:
    publisher = Publisher(context, lambda: report("critical", state="stopping"))
    await publisher._last()
    entry = consul.kv_get("flowrex/agents/node-1")
    assert entry is not None
    assert json.loads(entry.value)["state"] == "stopped"
    assert checks(consul) == [("flowrex-agent-node-1", "critical")]


async def test_a_reload_that_makes_the_task_anew_is_not_told_as_an_end(
    context: Context, consul: FakeConsul
) -> None:
    await Publisher(context, report)._last()
    assert consul.kv_get("flowrex/agents/node-1") is None


async def test_an_end_without_consul_is_an_end(context: Context, consul: FakeConsul) -> None:
    consul.down = True
    await Publisher(context, lambda: report(state="stopping"))._last()


def test_the_tags_say_which_environment(context: Context, consul: FakeConsul) -> None:
    settings = replace(context.settings, environment="staging")
    Publisher(replace(context, settings=settings), report).publish_now()
    assert consul.services("flowrex-agent")[0].tags == ("staging",)
