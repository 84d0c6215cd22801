"""The cluster's agent: small, seen by operators, and back by itself after every loss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from flowrex import keys
from flowrex.secret import Secret
from flowrex.vault import VaultClient
from generator.bootstrap import Target
from generator.bootstrap.resolve import target_of
from generator.environment import load
from tests.cluster import ROOT, Cluster, eventually

MEMORY_LIMIT_MIB = 60


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Target:
    """The cluster as its bootstrap sees it, with every right."""
    environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
    return target_of(load(ROOT, "dev", environ=environ), ROOT, environ=environ)


def status(cluster: Cluster) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.base + 77}/status", timeout=5) as page:
        return dict(json.load(page))


def passing(cluster: Cluster) -> bool:
    return verdict(cluster).startswith("passing")


def verdict(cluster: Cluster) -> str:
    """Return the agent's verdict on itself, or why it gives none."""
    try:
        check = status(cluster)["check"]
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        return f"no answer: {error}"
    return f"{check['status']}: {check['output']}"


def becomes_well(cluster: Cluster) -> None:
    eventually(
        lambda: passing(cluster),
        within=90,
        what="an agent that is well",
        instead=lambda: verdict(cluster),
    )


def row(cluster: Cluster, node: str = "node-1") -> dict[str, Any]:
    """Return what `flowrexctl agents` says of a node."""
    agents = cluster.document("agents", "dev")["agents"]
    return dict(next(one for one in agents if one["node"] == node))


@pytest.fixture(autouse=True)
def well(cluster: Cluster) -> Iterator[None]:
    """Each test begins and ends with an agent that is well.

    What tests before these have spoiled for it is tried again ever later; a new life of it does not
    wait.
    """
    if not passing(cluster):
        with suppress(urllib.error.URLError, ConnectionError):
            os.kill(status(cluster)["pid"], signal.SIGTERM)
            eventually(lambda: cluster.server("agent")["state"] == "dead", what="the agent's end")
        cluster.run("dev", "up", "--nodes", "2")
    becomes_well(cluster)
    yield
    cluster.run("dev", "up", "--nodes", "2")
    becomes_well(cluster)


@contextmanager
def stopped(cluster: Cluster, server: str) -> Iterator[None]:
    """Freeze a server of the cluster: it neither answers nor refuses."""
    pid = int(cluster.server(server)["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_it_is_small(cluster: Cluster) -> None:
    pages = int(Path(f"/proc/{status(cluster)['pid']}/statm").read_text().split()[1])
    assert pages * os.sysconf("SC_PAGE_SIZE") / 2**20 < MEMORY_LIMIT_MIB


def test_every_node_is_shown_and_one_without_an_agent_is_missing(cluster: Cluster) -> None:
    found = {one["node"]: one["status"] for one in cluster.document("agents", "dev")["agents"]}
    assert found == {"node-1": "passing", "node-2": "missing"}
    assert row(cluster)["age_s"] < 60
    said = cluster.run("agents", "dev").stdout
    assert "node-2: no agent has ever told of itself" in said


def test_its_metrics_are_prometheus_own(cluster: Cluster) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.base + 77}/metrics") as page:
        text = page.read().decode()
    assert 'flowrex_agent_task_state{state="running",task="credentials"} 1.0' in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert "process_resident_memory_bytes" in names


def test_a_revoked_token_of_vaults_is_got_anew(cluster: Cluster, target: Target) -> None:
    logins = status(cluster)["tasks"]["credentials"]["logins"]
    _revoke_agents_tokens(target.vault)
    eventually(
        lambda: status(cluster)["tasks"]["credentials"]["logins"] > logins,
        within=60,
        what="another login",
    )
    assert status(cluster)["tasks"]["credentials"]["problem"] == ""


def test_a_replaced_consul_token_is_taken_up(cluster: Cluster, target: Target) -> None:
    path, mount = "flowrex/agent", target.environment.vault.kv_mount
    replaced = status(cluster)["tasks"]["credentials"]["replaced"]
    kept = target.vault.kv_read(path, mount=mount)
    assert kept is not None
    # The operator's may do what the agent's may, so that nothing fails meanwhile.
    other = {**kept, "consul_token": Secret(cluster.token("consul"))}
    target.vault.kv_write(path, other, mount=mount)
    try:
        eventually(
            lambda: status(cluster)["tasks"]["credentials"]["replaced"] > replaced,
            within=60,
            what="the other token",
        )
    finally:
        target.vault.kv_write(path, kept, mount=mount)


def test_a_deregistered_service_is_registered_again(cluster: Cluster, target: Target) -> None:
    target.consul.deregister_service("flowrex-agent-node-1")
    eventually(
        lambda: [one.status for one in target.consul.checks_of("flowrex-agent")] == ["passing"],
        within=60,
        what="the service",
    )


def test_vault_away_is_said_and_what_is_good_is_kept(cluster: Cluster, target: Target) -> None:
    with stopped(cluster, "vault"):
        eventually(
            lambda: "Vault at" in status(cluster)["tasks"]["credentials"]["problem"],
            within=90,
            what="a word of Vault",
        )
        said = status(cluster)
        assert said["check"]["status"] == "warning"
        # Consul's token is at hand: its status is published all the same.
        eventually(
            lambda: "Vault at" in json.dumps(_published(target)), within=60, what="it in Consul"
        )


def test_consul_away_is_said_on_the_node_and_goes_over(cluster: Cluster) -> None:
    pid = status(cluster)["pid"]
    with stopped(cluster, "consul-1"):
        eventually(
            lambda: "Consul at" in status(cluster)["tasks"]["status"]["problem"],
            within=90,
            what="a word of Consul",
        )
    becomes_well(cluster)
    assert status(cluster)["pid"] == pid


def test_it_starts_while_vault_is_away_and_catches_up(cluster: Cluster) -> None:
    before = status(cluster)["pid"]
    with stopped(cluster, "vault"):
        os.kill(before, signal.SIGKILL)
        agent = _started_by_hand(cluster)
        try:
            eventually(
                lambda: "Vault at" in json.dumps(_or_nothing(cluster)),
                within=90,
                what="an agent that says that Vault is away",
            )
        finally:
            os.kill(agent, signal.SIGTERM)
            os.waitpid(agent, 0)
    cluster.run("dev", "up", "--nodes", "2")
    becomes_well(cluster)


def test_a_stopped_agent_is_critical_for_operators(cluster: Cluster) -> None:
    os.kill(status(cluster)["pid"], signal.SIGTERM)
    stopped_row = eventually(
        lambda: (one := row(cluster))["status"] == "critical" and one, within=30, what="its end"
    )
    assert "it was stopped" in stopped_row["problems"]
    assert cluster.server("agent")["state"] == "dead"


def _or_nothing(cluster: Cluster) -> dict[str, Any]:
    try:
        return status(cluster)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return {}


def _published(target: Target) -> dict[str, Any]:
    entry = target.consul.kv_get(keys.agent("node-1"))
    return dict(json.loads(entry.value)) if entry else {}


def _started_by_hand(cluster: Cluster) -> int:
    """Start the agent as `dev up` would, which waits for Vault; return its process."""
    config = cluster.state / "config" / "agent.yaml"
    with (cluster.state / "logs" / "agent.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "agents.main", "run", "--config", str(config)],
            cwd=cluster.project,
            env=cluster.environ(),
            stdout=log,
            stderr=log,
        ).pid


def _revoke_agents_tokens(vault: VaultClient) -> None:
    """Revoke every token that the agents' login gave."""
    vault.write("sys/leases/revoke-prefix/auth/approle/login")
