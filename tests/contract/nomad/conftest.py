"""A real Nomad of the test run's own, beside its stand-in, for cases that both must meet."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowrex.errors import ServerUnreachable
from flowrex.nomad import NomadClient
from flowrex.testing.nomad import FakeNomad
from tests.cluster import eventually
from tests.contract import own

NEVER_ASKED = "env_aws,env_gce,env_azure,env_digitalocean"


@pytest.fixture(scope="package")
def real_nomad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NomadClient]:
    """Server and client in one, without Consul and Vault, on ports that are free."""
    folder = tmp_path_factory.mktemp("nomad")
    http, rpc, serf = own.free_ports(3)
    (folder / "nomad.json").write_text(json.dumps(configuration(folder, http, rpc, serf)))
    try:
        with own.running([own.program("nomad"), "agent", "-config=nomad.json"], folder):
            client = NomadClient(f"http://127.0.0.1:{http}")
            try:
                eventually(lambda: ready(client), within=60, what="a ready Nomad node")
                yield client
            finally:
                leave_nothing(client)
    finally:
        unmount(folder)


def configuration(folder: Path, http: int, rpc: int, serf: int) -> dict[str, Any]:
    return {
        "name": "contract",
        "data_dir": str(folder / "data"),
        "bind_addr": "127.0.0.1",
        "advertise": dict.fromkeys(("http", "rpc", "serf"), "127.0.0.1"),
        "ports": {"http": http, "rpc": rpc, "serf": serf},
        "disable_update_check": True,
        "consul": {"client_auto_join": False, "server_auto_join": False, "auto_advertise": False},
        "server": {"enabled": True, "bootstrap_expect": 1},
        "client": {
            "enabled": True,
            "network_interface": "lo",
            "options": {"fingerprint.denylist": f"{NEVER_ASKED},consul,vault"},
        },
        "plugin": [{"raw_exec": [{"config": [{"enabled": True}]}]}],
    }


def ready(client: NomadClient) -> bool:
    try:
        return any(one.status == "ready" for one in client.nodes.list())
    except ServerUnreachable:
        return False


def leave_nothing(client: NomadClient) -> None:
    """Stop every task: a client that is stopped leaves them running.

    Nothing is purged, since Nomad does not show the allocations of a job that it has forgotten.
    """
    for job in client.transport.get("jobs"):
        client.jobs.stop(job["ID"])
    eventually(
        lambda: (
            not any(
                one["ClientStatus"] in {"pending", "running"}
                for one in client.transport.get("allocations")
            )
        ),
        what="the end of all allocations",
    )


def unmount(folder: Path) -> None:
    """Release the memory file systems that Nomad leaves under allocations' folders."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(str(folder))), reverse=True):
        subprocess.run(["umount", mount], check=True)


@pytest.fixture(params=["fake", "real"])
def nomad(request: pytest.FixtureRequest) -> NomadClient | FakeNomad:
    """Nomad, once the stand-in and once the real one."""
    if request.param == "fake":
        return FakeNomad()
    client: NomadClient = request.getfixturevalue("real_nomad")
    return client


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A job of this test's own."""
    return str(request.node.originalname).removeprefix("test_").replace("_", "-")[:60]
