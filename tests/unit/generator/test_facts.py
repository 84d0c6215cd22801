from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from flowrex.consul import ConsulClient, ServiceCheck
from flowrex.errors import PermissionRefused
from flowrex.nomad import Check, NomadClient, TaskState
from flowrex.testing.consul import FakeConsul
from flowrex.testing.nomad import FakeNomad
from generator.facts import Facts, collect_logs, consul_checks
from tests.unit.generator.diagnose.test_explain import SICK, event

DECLARED = (Check("backend", "ready"), Check("backend", "live"))


class Agent(FakeConsul):
    """A Consul whose agent knows more than the servers."""

    def __init__(self) -> None:
        super().__init__()
        self.agent: dict[str, Any] | Exception = {}

    def request(self, method: str, path: str, body: object = None) -> object:
        assert (method, path) == ("GET", "/v1/agent/checks")
        if isinstance(self.agent, Exception):
            raise self.agent
        return self.agent


@pytest.fixture
def agent() -> Agent:
    agent = Agent()
    agent.checks["backend"] = [
        ServiceCheck("s", "c1", "ready", "critical", ""),
        ServiceCheck("s", "c2", "live", "passing", "ok"),
    ]
    return agent


def outputs(agent: Agent) -> list[str]:
    return [one.output for one in consul_checks(cast(ConsulClient, agent), DECLARED)]


def test_an_output_that_the_servers_lack_is_asked_of_the_agent(agent: Agent) -> None:
    agent.agent = {"c1": {"Output": "503"}, "c2": {"Output": "other"}}
    assert outputs(agent) == ["503", "ok"]


def test_an_agent_that_does_not_know_or_tell_changes_nothing(agent: Agent) -> None:
    assert outputs(agent) == ["", "ok"]
    agent.agent = PermissionRefused("no")
    assert outputs(agent) == ["", "ok"]


def facts(*tasks: str) -> Facts:
    state = TaskState("dead", True, 0, (event("Terminated", "", 1),))
    sick = replace(SICK, tasks=dict.fromkeys(tasks, state))
    return Facts("backend", 2, allocations={sick.id: sick})


def test_the_last_lines_of_what_failed_are_kept_without_secrets() -> None:
    nomad, found = FakeNomad(), facts("backend")
    lines = [f"line {number}" for number in range(20)] + ["password=hunter2"]
    nomad.logs[("backend", "stderr")] = "\n".join(lines)
    collect_logs(cast(NomadClient, nomad), found)
    (kept,) = found.logs.values()
    assert kept == (*(f"line {number}" for number in range(11, 20)), "password=***")


def test_a_key_in_a_log_is_left_out_with_its_body() -> None:
    nomad, found = FakeNomad(), facts("backend")
    body = "\n".join("MIIE" + "x" * 60 for _ in range(5))
    key = f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{body}\n-----END RSA {'PRIVATE'} KEY-----"
    nomad.logs[("backend", "stderr")] = f"loaded\n{key}\ndone\n"
    collect_logs(cast(NomadClient, nomad), found)
    assert list(found.logs.values()) == [("loaded", "***", "done")]


def test_a_task_that_writes_to_standard_output_only_is_read_there() -> None:
    nomad, found = FakeNomad(), facts("backend")
    nomad.logs[("backend", "stdout")] = "here\n"
    collect_logs(cast(NomadClient, nomad), found)
    assert list(found.logs.values()) == [("here",)]


def test_a_log_that_can_not_be_had_is_left_out() -> None:
    nomad, found = FakeNomad(), facts("backend")
    nomad.down = True
    collect_logs(cast(NomadClient, nomad), found)
    assert found.logs == {}
