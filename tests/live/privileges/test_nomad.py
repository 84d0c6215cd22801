from __future__ import annotations

from collections.abc import Callable

import pytest

from flowrex.errors import FlowrexError, PermissionRefused, ServerRefused
from flowrex.nomad import NomadClient
from flowrex.secret import Secret
from generator.bootstrap import Target
from tests.cluster import Cluster

Action = Callable[[NomadClient], object]

JOB = """
job "privileges-probe" {
  type = "batch"
  group "probe" {
    task "probe" {
      driver = "raw_exec"
      config { command = "/bin/true" }
    }
  }
}
"""


def ask(path: str) -> Action:
    return lambda nomad: nomad.transport.get(path)


def put(path: str, **body: object) -> Action:
    return lambda nomad: nomad.transport.put(path, body)


def plan(nomad: NomadClient) -> None:
    nomad.jobs.plan(nomad.jobs.parse(JOB))


def drain(nomad: NomadClient) -> None:
    # A node that does not exist: past the check of the token, and no further.
    nomad.nodes.drain("00000000-0000-0000-0000-000000000000", deadline_s=1)


NEEDED: dict[str, Action] = {
    "parse and plan a job": plan,
    "list jobs": ask("jobs"),
    "list allocations": ask("allocations"),
    "list deployments": ask("deployments"),
    "list evaluations": ask("evaluations"),
    "list nodes": ask("nodes"),
    "drain a node": drain,
    "read its agent": ask("agent/self"),
}

REFUSED: dict[str, Action] = {
    "read policies' rules": ask("acl/policy/flowrex-operator-of-another"),
    "list tokens": ask("acl/tokens"),
    "make a token": put("acl/token", Name="mine", Type="management"),
    "write a policy": put("acl/policy/flowrex-operator", Name="flowrex-operator", Rules=""),
    "write a variable": put("var/nomad/jobs/backend", Path="nomad/jobs/backend", Items={"a": "b"}),
    "make a namespace": put("namespace/mine", Name="mine"),
    "make a node pool": put("node/pool/mine", Name="mine"),
    "collect garbage": put("system/gc"),
    "read the raft configuration": ask("operator/raft/configuration"),
    "change the scheduler": put("operator/scheduler/configuration", SchedulerAlgorithm="spread"),
    "take a snapshot": ask("operator/snapshot"),
    "list the keyring": ask("operator/keyring/keys"),
    "read the agent's goroutines": ask("agent/pprof/goroutine"),
}


@pytest.fixture(scope="module")
def operator(target: Target, cluster: Cluster) -> NomadClient:
    """Nomad, asked by the operator."""
    return NomadClient(target.environment.servers.nomad, Secret(cluster.token("nomad")))


@pytest.mark.parametrize("action", NEEDED)
def test_the_operator_may_do_what_a_deployment_needs(operator: NomadClient, action: str) -> None:
    try:
        NEEDED[action](operator)
    except PermissionRefused:
        raise
    except ServerRefused as error:
        assert "drain" in action, error


@pytest.mark.parametrize("action", REFUSED)
def test_the_operator_is_refused_everything_else(operator: NomadClient, action: str) -> None:
    with pytest.raises(FlowrexError) as caught:
        REFUSED[action](operator)
    assert isinstance(caught.value, PermissionRefused), caught.value.message


def test_the_operator_reads_no_variables(target: Target, operator: NomadClient) -> None:
    assert target.nomad is not None
    target.nomad.transport.put("var/probe", {"Path": "probe", "Items": {"a": "b"}})
    try:
        with pytest.raises(PermissionRefused):
            operator.transport.get("var/probe")
        assert operator.transport.get("vars") == []
    finally:
        target.nomad.transport.send("DELETE", "var/probe")


@pytest.mark.parametrize("action", NEEDED | REFUSED)
def test_nobody_is_nobody(target: Target, action: str) -> None:
    everything = NEEDED | REFUSED
    anonymous = NomadClient(target.environment.servers.nomad)
    if action.startswith("list ") and action in NEEDED and action != "list nodes":
        # Lists of a namespace are refused as a whole, those of a cluster may be empty.
        with pytest.raises(PermissionRefused):
            everything[action](anonymous)
    else:
        with pytest.raises(FlowrexError):
            everything[action](anonymous)
