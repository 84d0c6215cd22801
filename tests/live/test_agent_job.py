"""The agent as a Nomad system job, on the one node that has no other agent."""

from __future__ import annotations

import json
import os
import pwd
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowrex import keys
from flowrex.audit.record import Record, append, begin
from flowrex.audit.segment import prefix
from flowrex.consul import ConsulClient
from flowrex.errors import NotFound
from flowrex.s3 import S3Client
from flowrex.secret import Secret
from generator.dev.layout import Layout
from tests.cluster import Cluster, eventually

NODE = "node-2"
BUCKET = "flowrex-backups"
# Shorter than on a node, so that a test need not wait; the trail of the other tests stays theirs.
SETTINGS = (
    "{status: {interval: 5s}, consul: {service_ttl: 30s}, vault: {check_interval: 5s},"
    f" s3: {{logs_bucket: {BUCKET}}}, audit: {{s3: {{object_lock: 'off'}}}}}}"
)
ON = ("--set", "agent.enabled=true", "--set", f"agent.settings={SETTINGS}")
READS_ALL = 1 << 2  # CAP_DAC_READ_SEARCH


@pytest.fixture(scope="module", autouse=True)
def job(cluster: Cluster) -> Iterator[None]:
    """The job runs as an administrator would have it run; nothing is left of it."""
    cluster.run("build", "--agent", "--push", "dev", *ON)
    cluster.run("bootstrap", "dev", *ON)
    mark(cluster, "job")
    try:
        cluster.run("run", "dev", "agent", "--yes", *ON)
        yield
    finally:
        stop(cluster, purge=True)
        mark(cluster, None)
        cluster.run("bootstrap", "dev")
        consul(cluster).kv_delete(keys.agent(NODE))
        own = Layout(cluster.state, cluster.base, 2).nodes[1].consul_address
        admin = ConsulClient(own, Secret(cluster.token("consul", "management")))
        with suppress(NotFound):  # the job never told of itself
            admin.deregister_service(f"flowrex-agent-{NODE}")


def mark(cluster: Cluster, value: str | None) -> None:
    """Give the node its mark, as an operator may while it runs."""
    node = next(one["ID"] for one in cluster.nomad("nodes") if one["Name"] == NODE)
    ask(cluster, "POST", f"client/metadata?node_id={node}", {"Meta": {"agent": value}})
    eventually(
        lambda: (cluster.nomad(f"node/{node}")["Meta"] or {}).get("agent") == value,
        what="the servers' knowledge of the mark",
    )


def stop(cluster: Cluster, *, purge: bool = False) -> None:
    """Stop the job, and wait until its process has ended."""
    ask(cluster, "DELETE", f"job/agent?purge={str(purge).lower()}")
    eventually(lambda: not cluster.allocations("agent"), within=60, what="the job's end")


def ask(cluster: Cluster, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    """Let Nomad change something, as an operator may."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{cluster.base + 46}/v1/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-Nomad-Token": cluster.token("nomad")},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


def consul(cluster: Cluster) -> ConsulClient:
    return ConsulClient(f"http://127.0.0.1:{cluster.base + 50}", Secret(cluster.token("consul")))


def page(cluster: Cluster, path: str = "/status") -> dict[str, Any]:
    """Return what the agent itself says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.base + 78}{path}", timeout=5) as answer:
        return dict(json.load(answer))


def said(cluster: Cluster) -> dict[str, Any]:
    """Return the same, empty while no agent answers."""
    try:
        return page(cluster)
    except OSError:
        return {}


def row(cluster: Cluster) -> dict[str, Any]:
    """Return what `flowrexctl agents` says of the node."""
    agents = cluster.document("agents", "dev")["agents"]
    return dict(next(one for one in agents if one["node"] == NODE))


def standing(cluster: Cluster) -> dict[str, Any]:
    """Return what `flowrexctl status` says of the job."""
    (found,) = cluster.document("status", "dev", "agent", *ON)["jobs"]
    return dict(found)


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_it_runs_on_the_marked_node_alone_and_is_in_service(cluster: Cluster) -> None:
    found = standing(cluster)
    assert found["state"] == "in service"
    assert (found["desired"], found["healthy"]) == (1, 1)
    assert [one["NodeName"] for one in cluster.allocations("agent")] == [NODE]
    checks = {one.name: one.status for one in consul(cluster).checks_of("agent")}
    assert checks == {"health": "passing", "live": "passing"}


def test_the_job_is_valid_and_unchanged_when_it_is_planned_again(cluster: Cluster) -> None:
    cluster.run("validate", "dev", "agent", *ON)
    cluster.run("plan", "dev", "agent", "--detailed-exitcode", *ON)


def test_operators_see_it_where_an_agent_was_missing(cluster: Cluster) -> None:
    found = eventually(
        lambda: (one := row(cluster))["status"] == "passing" and one, within=60, what="its word"
    )
    assert found["document"]["node"] == NODE
    assert consul(cluster).kv_get(keys.agent(NODE)) is not None
    assert page(cluster)["tasks"]["credentials"]["problem"] == ""


def test_it_is_no_root_and_may_read_but_not_write_what_is_roots(cluster: Cluster) -> None:
    process = status_of(page(cluster)["pid"])
    assert int(process["Uid"].split()[0]) == pwd.getpwnam("nobody").pw_uid
    for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(process[kind], 16) == READS_ALL, kind
    assert process["NoNewPrivs"] == "1"


def test_no_secret_is_in_its_spec_or_in_its_arguments(cluster: Cluster) -> None:
    spec = json.dumps(cluster.nomad("job/agent"))
    pid = page(cluster)["pid"]
    seen = spec + "".join(
        Path(f"/proc/{pid}/{name}").read_bytes().decode() for name in ("cmdline", "environ")
    )
    for name in ("flowrex-agent", "operator"):
        assert cluster.token("consul", name) not in seen
    for name in ("s3-access", "s3-secret", "s3-agent-access", "s3-agent-secret"):
        file = cluster.state / "secrets" / name
        assert not file.exists() or file.read_text().strip() not in seen


def test_it_ships_what_it_finds_in_the_nodes_allocation_folder(cluster: Cluster) -> None:
    (allocation,) = cluster.allocations("agent")
    folder = cluster.state / "alloc" / "2" / allocation["ID"] / "alloc" / "audit"
    folder.mkdir(mode=0o700)
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
    store = S3Client(f"http://127.0.0.1:{cluster.base + 70}", "us-east-1", access, secret)

    def shipped() -> bool:
        audit = page(cluster)["tasks"]["audit"]
        left = (audit["sinks"]["s3"]["lag"] or {}).get("bytes")
        return bool(audit["files"]) and not left and any(store.list(BUCKET, prefix(NODE)))

    eventually(shipped, within=60, what="the end of what is to be shipped")
    assert not page(cluster)["tasks"]["audit"]["refused_files"]


def test_it_acknowledges_an_emergency_by_its_nodes_name(cluster: Cluster) -> None:
    within = ("--within", "20s")
    try:
        document = cluster.document("emergency", "on", "dev", "--reason", "a live test", *within)
        heard = {one["name"] for one in document["members"] if one["acknowledged"]}
        assert NODE in heard
    finally:
        over = ("--reason", "the test is over", "--yes")
        cluster.run("emergency", "off", "dev", *over, *within, expect=(0, 4, 6))


def test_a_killed_process_is_started_again(cluster: Cluster) -> None:
    before = page(cluster)["pid"]
    os.kill(before, signal.SIGKILL)
    eventually(
        lambda: said(cluster).get("pid", before) != before, within=60, what="another process"
    )


def test_a_frozen_process_is_started_again_by_its_check(cluster: Cluster) -> None:
    before = eventually(lambda: said(cluster).get("pid"), within=30, what="an agent")
    os.kill(before, signal.SIGSTOP)
    eventually(
        lambda: said(cluster).get("pid", before) != before, within=120, what="another process"
    )


def test_a_new_version_is_followed_to_the_end_and_rolled_back(cluster: Cluster) -> None:
    eventually(lambda: standing(cluster)["healthy"] == 1, within=60, what="a healthy one")
    first = standing(cluster)["version"]
    done = cluster.document(
        "run", "dev", "agent", "--yes", *ON, "--set", "agent.env.FLOWREX_LIVE_TEST=second"
    )
    (deployed,) = done["jobs"]
    assert (deployed["result"], deployed["previous"]) == ("deployed", first)
    (reverted,) = cluster.document("rollback", "dev", "agent", *ON)["jobs"]
    assert reverted["result"] == "reverted"
    assert standing(cluster)["state"] == "in service"


def test_one_that_never_gets_healthy_is_taken_back(cluster: Cluster) -> None:
    broken = ("--set", "agent.settings={nonsense: true}", "--set", "agent.health.grace=5s")
    short = ("--set", "agent.health.healthy_deadline=15s")
    done = cluster.run("run", "dev", "agent", "--yes", *ON, *broken, *short, expect=5)
    assert "agent" in done.stderr
    eventually(lambda: standing(cluster)["healthy"] == 1, within=90, what="the one before")
    assert page(cluster)["node"] == NODE


def test_it_stops_in_order_and_says_so(cluster: Cluster) -> None:
    (allocation,) = cluster.allocations("agent")
    stop(cluster)
    entry = consul(cluster).kv_get(keys.agent(NODE))
    assert entry is not None
    assert json.loads(entry.value)["state"] == "stopped"
    assert "it was stopped" in row(cluster)["problems"]
    task = cluster.nomad(f"allocation/{allocation['ID']}")["TaskStates"]["agent"]
    ended = [one for one in task["Events"] if one["Type"] == "Terminated"][-1]
    assert (ended["ExitCode"], ended["Signal"]) == (0, 0)
