"""From empty machines to the running platform, as docs/runbooks/rebuild-cluster.md has it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowrex.secret import Secret
from flowrex.vault import VaultClient
from tests.cluster import ROOT, Cluster, eventually, running
from tests.live.snapshots.machine import Machine

BASE = int(os.environ.get("FLOWREX_TEST_SNAPSHOTS_PORT_BASE", "22000"))
JOB = {
    "ID": "probe",
    "Datacenters": ["dc1"],
    "Type": "service",
    "TaskGroups": [
        {
            "Name": "probe",
            "Count": 1,
            "Tasks": [
                {
                    "Name": "probe",
                    "Driver": "raw_exec",
                    "Config": {"command": "/bin/sleep", "args": ["100000"]},
                    "Resources": {"CPU": 10, "MemoryMB": 10},
                }
            ],
        }
    ],
}
CONSUL, VAULT, NOMAD, REDIS = 50, 82, 46, 79


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of its own, with a job on it that must come back."""
    with running(BASE, deploy=False) as made:
        made.nomad("jobs", {"Job": JOB})
        eventually(lambda: runs(made), within=60, what="the job")
        yield made


def runs(cluster: Cluster) -> bool:
    """Tell whether the job has a task that runs."""
    return any(one["ClientStatus"] == "running" for one in cluster.allocations("probe"))


def agent(cluster: Cluster, *words: str, config: Path | None = None) -> str:
    """Run one of the agent's verbs."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "agents.main", "snapshots", *words),
            *("--config", config or cluster.state / "config/agent.yaml"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def redis(cluster: Cluster, *words: str) -> str:
    """Ask Redis as the application."""
    kept = vault(cluster).kv_read("flowrex/backend") or {}
    done = subprocess.run(
        ["redis-cli", "-p", str(cluster.base + REDIS), "--user", "flowrex", *words],
        env={**os.environ, "REDISCLI_AUTH": kept["redis_password"].reveal()},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def vault(cluster: Cluster) -> VaultClient:
    address = f"http://127.0.0.1:{cluster.base + VAULT}"
    return VaultClient(address, Secret(cluster.token("vault", "management")))


def consul(machine: Machine, key: str, value: str) -> None:
    header = ("X-Consul-Token", machine.cluster.token("consul", "management"))
    machine.ask(CONSUL, f"kv/{key}", value, header)


def bare(cluster: Cluster, folder: Path, vault_token: str) -> Path:
    """Write the configuration of a machine that has nothing but files: no Vault to log in to."""
    settings: dict[str, Any] = yaml.safe_load((cluster.state / "config/agent.yaml").read_text())
    settings["vault"]["enabled"] = False
    settings["state_dir"] = str(folder / "state")
    settings["credentials_dir"] = str(folder / "credentials")
    kept = {
        name: (cluster.state / "secrets" / place).read_text()
        for name, place in {
            "s3-access-key": "s3-agent-access",
            "s3-secret-key": "s3-agent-secret",
            "snapshot-escrow-key": "snapshot-escrow",
        }.items()
    }
    (folder / "credentials").mkdir(mode=0o700)
    for name, text in {**kept, "vault-snapshot-token": vault_token}.items():
        (folder / "credentials" / name).write_text(text)
    path = folder / "agent.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_lost_cluster_is_rebuilt_from_its_snapshots(cluster: Cluster, tmp_path: Path) -> None:
    machine = Machine.of(cluster)
    secret = vault(cluster).kv_read("flowrex/backend")
    consul(machine, "flowrex/releases/probe", "before")
    redis(cluster, "SET", "probe", "before")
    for kind in ("vault", "consul", "nomad", "redis"):
        agent(cluster, "take", kind)
    consul(machine, "flowrex/releases/probe", "after")

    machine.lose()
    machine.start("s3")

    # Vault first: what the others' snapshots are sealed with is in it.
    machine.start("vault")
    made = machine.ask(VAULT, "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    machine.ask(VAULT, "sys/unseal", {"key": made["keys_base64"][0]})
    eventually(lambda: machine.ask(VAULT, "sys/health"), what="an unsealed Vault")
    config = bare(cluster, tmp_path, made["root_token"])
    said = agent(cluster, "restore", "vault", "--yes-replace", "vault", config=config)
    assert "unseal" in said
    key = (cluster.state / "secrets/vault-unseal").read_text().strip()
    eventually(
        lambda: not machine.ask(VAULT, "sys/unseal", {"key": key})["sealed"],
        within=60,
        what="the unsealing by the lost Vault's own key",
    )
    eventually(lambda: machine.ask(VAULT, "sys/health"), within=60, what="a Vault that is active")
    assert vault(cluster).kv_read("flowrex/backend") == secret

    machine.start("consul-1")
    eventually(lambda: machine.ask(CONSUL, "status/leader"), within=60, what="Consul's leader")
    agent(cluster, "restore", "consul", "--yes-replace", "consul")

    machine.start("nomad-1")
    eventually(lambda: machine.ask(NOMAD, "status/leader"), within=60, what="Nomad's leader")
    machine.ask(NOMAD, "acl/bootstrap", {"BootstrapSecret": cluster.token("nomad", "management")})
    agent(cluster, "restore", "nomad", "--yes-replace", "nomad")

    agent(cluster, "fetch", "redis", "--into", str(tmp_path / "redis"))
    home = cluster.state / "data/redis/appendonlydir"
    home.mkdir(parents=True)
    with tarfile.open(tmp_path / "redis/appendonly.tar") as archive:
        archive.extractall(home, filter="data")

    cluster.run("dev", "up")
    header = ("X-Consul-Token", cluster.token("consul", "management"))
    kept = machine.ask(CONSUL, "kv/flowrex/releases/probe?raw", None, header)
    assert kept == "before"
    assert redis(cluster, "GET", "probe") == "before"
    eventually(lambda: runs(cluster), within=120, every=2, what="the job of the snapshot")
    document = cluster.document("bootstrap", "dev", "--check")
    assert document["complete"], document
