"""Under its hardened unit, as it is shipped, the agent does its work on real servers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowrex import keys
from flowrex.audit.record import Record, append, begin
from flowrex.audit.segment import prefix
from flowrex.consul import ConsulClient
from flowrex.s3 import S3Client
from flowrex.secret import Secret
from generator.dev.layout import Layout
from tests.cluster import Cluster, eventually
from tests.live.agent.conftest import PROGRAM
from tests.live.agent.machine import DATABASE, Machine, booted
from tests.live.agent.node import ALLOCATIONS, ENVIRONMENT, NAME, psql, set_up

HOOK = """#!/bin/sh
# It runs inside the unit: it can call out, and write where the agent may.
{ cat; echo; echo "$FLOWREX_LEVEL $(id -un)"; } > /var/lib/flowrex-agent/hook-said
"""


@pytest.fixture(scope="module")
def node(
    cluster: Cluster, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """The node, beside the cluster's own and in an environment of its own."""
    folder = cluster.project / "jobs" / "environments"
    shutil.copy(folder / "dev.yaml", folder / f"{ENVIRONMENT}.yaml")
    layout = Layout(cluster.state, cluster.base, 2)
    allocations = {layout.allocations(layout.nodes[0]): ALLOCATIONS}
    home = tmp_path_factory.mktemp("node")
    try:
        with booted(home, more=DATABASE, name=NAME, binds=allocations) as machine:
            set_up(machine, package, cluster)
            machine.write("/etc/flowrex/emergency.d/10-tell", HOOK, mode=0o755)
            yield machine
            machine.run("systemctl", "stop", "flowrex-agent")
    finally:
        (folder / f"{ENVIRONMENT}.yaml").unlink()
        consul = ConsulClient(layout.consul_address, Secret(cluster.token("consul", "management")))
        consul.deregister_service(f"flowrex-agent-{NAME}")
        consul.kv_delete(keys.agent(NAME))


def status(node: Machine) -> dict[str, Any]:
    said = node.run("sh", "-c", f"{PROGRAM} status --json 2> /dev/null", expect=None)
    return dict(json.loads(said)) if said.startswith("{") else {}


def task(node: Machine, name: str) -> dict[str, Any]:
    return dict(status(node).get("tasks", {}).get(name, {}))


def asked(cluster: Cluster, what: str, *more: str) -> dict[str, Any]:
    """Let the node's agent do something, as an operator does."""
    answer = cluster.document("backup", what, ENVIRONMENT, "--node", NAME, *more)
    return dict(answer["result"])


def test_the_unit_is_as_it_is_shipped_and_the_agent_has_its_credentials(node: Machine) -> None:
    assert node.unit("DropInPaths") == ""
    eventually(
        lambda: (
            task(node, "credentials").get("logins") and not task(node, "credentials")["problem"]
        ),
        within=60,
        what="a login to Vault",
    )


def test_it_takes_a_logical_backup_reads_it_again_and_restores_it_in_a_scratch_server(
    cluster: Cluster, node: Machine
) -> None:
    name = asked(cluster, "now")["name"]
    assert asked(cluster, "verify", name)["good"] is True
    drilled = asked(cluster, "drill", name)
    assert drilled["good"] is True, drilled
    assert node.run("sh", "-c", "ls /var/lib/flowrex-agent | grep -c ^scratch- || true") == "0\n"


def test_it_takes_a_physical_backup_and_postgresql_archives_beside_it(node: Machine) -> None:
    label = eventually(
        lambda: task(node, "physical-backup").get("newest"), within=180, what="the first backup"
    )
    assert label.endswith("F")
    psql(node, "CREATE TABLE work AS SELECT generate_series(1, 1000) AS n")
    before = task(node, "physical")["last_archived"]
    psql(node, "SELECT pg_switch_wal()")

    def archived() -> bool:
        said = task(node, "physical")
        return bool(said["last_archived"] != before and said["missing_segments"] == 0)

    eventually(archived, within=90, what="the next segment in the archive")
    eventually(lambda: task(node, "physical")["problem"] == "", what="the end of every alarm")
    # As the agent's user, which the unit gives the right to read the data folder.
    assert node.run("stat", "-c", "%U %a", "/var/lib/postgresql/15/main") == "postgres 700\n"


def test_it_ships_what_it_finds_in_the_allocation_folders(cluster: Cluster, node: Machine) -> None:
    layout = Layout(cluster.state, cluster.base, 2)
    folder = layout.allocations(layout.nodes[0]) / "of-the-tests" / "alloc" / "audit"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    file = folder / "of-root.jsonl"
    # A record with a chain, as the backend writes them: the cluster's own agent ships it too, and
    # what has none would stand out in the proof of its trail.
    line, _ = append(Record(time=datetime.now(UTC), kind="request", path="/live-test"), begin())
    file.write_bytes(line)
    file.chmod(0o600)
    access, secret = (
        Secret((cluster.state / "secrets" / name).read_text().strip())
        for name in ("s3-access", "s3-secret")
    )
    store = S3Client(layout.s3_address, "us-east-1", access, secret)
    try:
        eventually(
            lambda: list(store.list("flowrex-backups", prefix(NAME))),
            within=60,
            what="the node's first segment in the bucket",
        )
        assert not task(node, "audit")["refused_files"]
    finally:
        shutil.rmtree(folder.parents[1])


def test_it_runs_the_nodes_hooks_in_an_emergency(cluster: Cluster, node: Machine) -> None:
    said = node.root / "var/lib/flowrex-agent/hook-said"
    try:
        cluster.run("emergency", "on", ENVIRONMENT, "--reason", "a live test", "--within", "20s")
        eventually(lambda: said.exists(), within=60, what="the hook's word")
        eventually(lambda: said.read_text().endswith("halt flowrex-agent\n"), what="all of it")
        assert json.loads(said.read_text().splitlines()[0])["node"] == NAME
    finally:
        over = ("--reason", "the test is over", "--yes", "--within", "20s")
        cluster.run("emergency", "off", ENVIRONMENT, *over, expect=(0, 4, 6))
    eventually(
        lambda: said.read_text().endswith("off flowrex-agent\n"), within=60, what="the end's hook"
    )


def test_nothing_that_it_did_was_forbidden_or_failed(node: Machine) -> None:
    found = eventually(
        lambda: (said := status(node)) and said["check"]["status"] == "passing" and said,
        within=60,
        what="an agent that is well",
    )
    assert found["problems"] == []
    assert node.unit("NRestarts") == "0"
    assert "Operation not permitted" not in node.journal()
