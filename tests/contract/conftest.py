"""The real Consul beside its stand-in, for cases that both must meet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from flowrex.testing.consul import FakeConsul
from tests.cluster import eventually
from tests.contract import own


@pytest.fixture(scope="session")
def real_consul(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulClient]:
    """A Consul of this test run's own, in memory, on ports that are free."""
    folder = tmp_path_factory.mktemp("consul")
    http, server, serf = own.free_ports(3)
    ports = {"http": http, "server": server, "serf_lan": serf}
    off = dict.fromkeys(("dns", "grpc", "grpc_tls", "serf_wan"), -1)
    (folder / "consul.json").write_text(json.dumps({"ports": {**off, **ports}}))
    config = folder / "consul.json"
    command: list[str | Path] = [own.program("consul"), "agent", "-dev", f"-config-file={config}"]
    with own.running(command, folder):
        client = ConsulClient(f"http://127.0.0.1:{http}")
        eventually(lambda: _leads(client), every=0.05, what="a leader of Consul")
        yield client


@pytest.fixture(params=["fake", "real"])
def consul(request: pytest.FixtureRequest) -> ConsulClient | FakeConsul:
    """Consul, once the stand-in and once the real one."""
    if request.param == "fake":
        return FakeConsul()
    client: ConsulClient = request.getfixturevalue("real_consul")
    return client


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key of this test's own."""
    return f"flowrex/test/{request.node.originalname}"


def _leads(client: ConsulClient) -> bool:
    try:
        # A leader has an address some time before it takes writes.
        return bool(client.leader()) and client.kv_put("flowrex/test/ready", "")
    except ServerUnreachable:
        return False
