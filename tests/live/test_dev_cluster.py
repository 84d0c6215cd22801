"""The dev cluster on real servers: ready, closed to strangers, repaired, and gone without a trace.

These tests kill servers, so they have a cluster of their own, with nothing deployed on it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster, eventually, running

BASE = int(os.environ.get("FLOWREX_TEST_DEV_PORT_BASE", "28000"))
SERVERS = (
    "postgres",
    "postgres-replica",
    "s3",
    "s3-tls",
    "consul-1",
    "vault",
    "redis",
    "nomad-1",
    "agent",
)

# A task that nginx and PostgreSQL would be proud of: it forgets its environment, leaves its
# session, and ignores the request to stop.
AWKWARD = """\
env -i setsid sh -c 'trap "" TERM INT; while :; do sleep 1000; done' &
trap "" INT TERM
while :; do sleep 1000; done
"""


@pytest.fixture(scope="module")
def dev() -> Iterator[Cluster]:
    with running(BASE, deploy=False) as cluster:
        yield cluster


@pytest.fixture
def up(dev: Cluster) -> Cluster:
    """The cluster, up and healthy, whatever the test before did."""
    dev.run("dev", "up", timeout=120)
    return dev


def call(
    url: str, *, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers=headers or {},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def nomad(cluster: Cluster, path: str, method: str = "GET", body: Any = None) -> Any:
    token = cluster.token("nomad", "management")
    url = f"http://127.0.0.1:{cluster.base + 46}{path}"
    status, content = call(url, method=method, body=body, headers={"X-Nomad-Token": token})
    assert status == 200, content
    return json.loads(content)


def consul(cluster: Cluster, path: str, method: str = "GET", body: Any = None) -> bytes:
    token = cluster.token("consul", "management")
    url = f"http://127.0.0.1:{cluster.base + 50}{path}"
    status, content = call(url, method=method, body=body, headers={"X-Consul-Token": token})
    assert status == 200, content
    return content


def psql(cluster: Cluster, port: int, sql: str) -> str:
    environ = {**os.environ, "PGPASSFILE": str(cluster.state / "secrets/pgpass")}
    command = ["psql", "-XqAt", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-c", sql]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def pids(cluster: Cluster) -> dict[str, int]:
    record = json.loads((cluster.state / "cluster.json").read_text())
    return {name: one["identity"]["pid"] for name, one in record["servers"].items()}


def kill(cluster: Cluster, *names: str) -> None:
    for name, pid in pids(cluster).items():
        if name in names:
            os.kill(pid, signal.SIGKILL)


def states(cluster: Cluster) -> dict[str, str]:
    document = cluster.document("dev", "status", expect=(0, 6))
    return {one["name"]: one["state"] for one in document["servers"]}


def run_awkward_job(cluster: Cluster) -> list[str]:
    """Run two allocations that are hard to stop, and return their ids."""
    task = {
        "Name": "awkward",
        "Driver": "raw_exec",
        "Config": {"command": "/bin/sh", "args": ["-c", AWKWARD]},
        "KillTimeout": 1_000_000_000,
        "Resources": {"CPU": 100, "MemoryMB": 32},
    }
    group = {"Name": "awkward", "Count": 2, "Tasks": [task]}
    job = {"ID": "awkward", "Type": "service", "Datacenters": ["*"], "TaskGroups": [group]}
    nomad(cluster, "/v1/jobs", "PUT", {"Job": job})

    def two_run() -> list[str]:
        found = nomad(cluster, "/v1/job/awkward/allocations")
        ids = [one["ID"] for one in found if one["ClientStatus"] == "running"]
        return ids if len(ids) == 2 else []

    return eventually(two_run, what="two running allocations")


def traces(cluster: Cluster, allocations: list[str]) -> list[str]:
    """Return whatever is left of a cluster, found without the code under test."""
    root = str(cluster.state)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            stat = (entry / "stat").read_text()
            environ = (entry / "environ").read_bytes()
            cwd = str((entry / "cwd").readlink())
        except OSError:
            continue
        if ") Z " not in stat and (
            f"FLOWREX_DEV_CLUSTER={root}".encode() in environ or cwd.startswith(root)
        ):
            found.append(f"process {entry.name} in {cwd}")
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if root in line]
    for id_ in allocations:
        found += [str(path) for path in Path("/sys/fs/cgroup").rglob(f"{id_}*")]
    found += [str(path) for path in cluster.state.glob("alloc/*/*")]
    found += [f"port {port}" for port in (32, 33, 46, 50, 70, 77, 79, 82) if listens(BASE + port)]
    return found


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_every_server_runs_and_says_so(up: Cluster) -> None:
    document = up.document("dev", "status")
    assert document["healthy"] is True
    assert {one["name"]: one["state"] for one in document["servers"]} == dict.fromkeys(
        SERVERS, "running"
    )
    assert all(Path(one["log"]).is_file() for one in document["servers"])


def test_up_again_leaves_everything_alone(up: Cluster) -> None:
    before = pids(up)
    document = up.document("dev", "up")
    assert {one["action"] for one in document["servers"]} == {"kept"}
    assert pids(up) == before


@pytest.mark.parametrize(
    ("offset", "path"),
    [
        (46, "/v1/jobs"),
        (50, "/v1/kv/flowrex/emergency"),
        (82, "/v1/kv/data/flowrex/backend"),
        (70, "/flowrex-exports"),
        (70, "/flowrex-artifacts"),
    ],
)
def test_a_stranger_is_refused(up: Cluster, offset: int, path: str) -> None:
    assert call(f"http://127.0.0.1:{BASE + offset}{path}")[0] == 403


def test_redis_refuses_a_stranger(up: Cluster) -> None:
    with socket.create_connection(("127.0.0.1", BASE + 79), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


def test_the_replica_follows(up: Cluster) -> None:
    psql(up, BASE + 32, "DROP TABLE IF EXISTS probe; CREATE TABLE probe AS SELECT 42 AS answer")

    def answer() -> bool:
        try:
            return psql(up, BASE + 33, "SELECT answer FROM probe") == "42"
        except subprocess.CalledProcessError:
            return False

    eventually(answer, within=10, what="the row on the replica")


def test_no_secret_is_in_an_argument_or_in_a_log(up: Cluster) -> None:
    files = [path for folder in ("secrets", "tokens") for path in (up.state / folder).iterdir()]
    values = {path.read_text().strip().split(":")[-1]: path.name for path in files}
    assert len(values) > 8
    commands = b"\n".join(
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    ).decode(errors="replace")
    logs = "\n".join(path.read_text(errors="replace") for path in (up.state / "logs").glob("*.log"))
    for value, name in values.items():
        assert value not in commands, f"{name} is an argument"
        assert value not in logs, f"{name} is in a log"


def test_secrets_are_for_their_owner_only(up: Cluster) -> None:
    for folder in ("secrets", "tokens", "config"):
        assert (up.state / folder).stat().st_mode & 0o077 == 0
        for path in (up.state / folder).iterdir():
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_operators_environment_reaches_all_three(up: Cluster) -> None:
    values = up.document("dev", "env")
    for address, header, token, path in (
        ("NOMAD_ADDR", "X-Nomad-Token", "NOMAD_TOKEN", "/v1/jobs"),
        ("CONSUL_HTTP_ADDR", "X-Consul-Token", "CONSUL_HTTP_TOKEN", "/v1/kv/flowrex/?keys"),
        ("VAULT_ADDR", "X-Vault-Token", "VAULT_TOKEN", "/v1/auth/token/lookup-self"),
    ):
        status, _ = call(values[address] + path, headers={header: values[token]})
        assert status in (200, 404)


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_is_reported_and_repaired(up: Cluster, name: str) -> None:
    before = pids(up)
    kill(up, name)
    assert states(up)[name] == "dead"
    up.run("dev", "status", expect=6)

    document = up.document("dev", "up")
    actions = {one["name"]: one["action"] for one in document["servers"]}
    assert actions[name] == "restarted"
    up.run("dev", "status")
    # Who was well kept its process, but for those that can't do without the killed one.
    untouched = {one for one, action in actions.items() if action == "kept"}
    assert {one: pids(up)[one] for one in untouched} == {one: before[one] for one in untouched}


def test_a_consul_that_starts_again_is_asked_when_it_knows_all_it_knew(up: Cluster) -> None:
    # Tokens late in a long log: a server that leads already may not have read so far.
    for token in json.loads(consul(up, "/v1/acl/tokens")):
        if token.get("Roles"):
            consul(up, f"/v1/acl/token/{token['AccessorID']}", "DELETE")
    up.run("bootstrap", "dev")
    with ThreadPoolExecutor(8) as many:
        list(many.map(lambda n: consul(up, f"/v1/kv/test/{n}", "PUT", "v" * 200), range(5000)))
    kill(up, "consul-1")
    up.run("dev", "up")


def test_a_frozen_server_is_not_ready_and_repaired(up: Cluster) -> None:
    os.kill(pids(up)["redis"], signal.SIGSTOP)
    assert states(up)["redis"] == "not ready"
    up.run("dev", "up")
    up.run("dev", "status")


def test_a_killed_nomad_finds_its_tasks_again(up: Cluster) -> None:
    allocations = run_awkward_job(up)
    kill(up, "nomad-1")
    up.run("dev", "up")
    found = nomad(up, "/v1/job/awkward/allocations")
    assert {one["ID"] for one in found if one["ClientStatus"] == "running"} == set(allocations)


def test_down_leaves_nothing(up: Cluster) -> None:
    allocations = run_awkward_job(up)
    document = up.document("dev", "down")
    assert document["jobs"] == ["awkward"]
    assert traces(up, allocations) == []
    assert set(states(up).values()) == {"stopped"}
    assert up.run("dev", "down").stdout == "Nothing was running.\n"


def test_down_leaves_nothing_after_everything_was_killed(up: Cluster) -> None:
    allocations = run_awkward_job(up)
    kill(up, *SERVERS)
    up.run("dev", "down")
    assert traces(up, allocations) == []
    up.run("dev", "up")
    assert nomad(up, "/v1/jobs") == []


def test_down_leaves_nothing_where_recorded_pids_are_of_an_earlier_boot(up: Cluster) -> None:
    allocations = run_awkward_job(up)
    path = up.state / "cluster.json"
    record = json.loads(path.read_text())
    for server in record["servers"].values():
        server["identity"]["boot_id"] = "an-earlier-boot"
    path.write_text(json.dumps(record))
    assert set(states(up).values()) == {"dead"}
    up.run("dev", "down")
    assert traces(up, allocations) == []


def test_a_lock_that_a_killed_agent_left_is_no_obstacle(up: Cluster) -> None:
    up.run("dev", "down")
    lock = up.state / "data/postgres/pgbackrest-lock/flowrex-archive.lock"
    lock.unlink(missing_ok=True)
    lock.touch(mode=0o600)  # this user's, as the agent is
    up.run("dev", "up")


def test_data_persists_over_down_and_up(up: Cluster) -> None:
    psql(up, BASE + 32, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 'pg' AS value")
    consul(up, "/v1/kv/flowrex/test", "PUT", "consul")
    root = {"X-Vault-Token": up.token("vault", "management")}
    secret = f"http://127.0.0.1:{BASE + 82}/v1/kv/data/flowrex/backend"
    before = json.loads(call(secret, headers=root)[1])["data"]
    up.run("dev", "down")
    up.run("dev", "up")
    assert psql(up, BASE + 32, "SELECT value FROM kept") == "pg"
    assert consul(up, "/v1/kv/flowrex/test?raw") == b'"consul"'
    assert json.loads(call(secret, headers=root)[1])["data"] == before


def test_two_at_once_do_not_collide(dev: Cluster) -> None:
    dev.run("dev", "down")
    first = dev.start("dev", "up")
    eventually((dev.state / "cluster.json").exists, every=0.01)
    lock = dev.state / "lock"
    eventually(lambda: lock.read_text().strip() == str(first.pid), every=0.01, what="the lock")
    dev.run("dev", "up", expect=8)
    out, err = first.communicate(timeout=120)
    assert first.returncode == 0, out + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_up_is_gone_on_with(dev: Cluster, number: signal.Signals) -> None:
    dev.run("dev", "down")
    half = dev.start("dev", "up")
    eventually(lambda: "vault" in pids(dev), every=0.02, what="Vault's start")
    half.send_signal(number)
    out, err = half.communicate(timeout=30)
    assert half.returncode == (130 if number == signal.SIGINT else -number), out + err
    assert "Traceback" not in err
    dev.run("dev", "up")
    dev.run("dev", "status")
