"""A Consul of the tests' own that can be killed, started again, and given its past back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from tests.cluster import ROOT, eventually
from tests.contract import own

LIFE = Path(__file__).with_name("life.py")


@dataclass
class Server:
    """One Consul server on disk.

    Attributes:
        folder: its configuration, log and data.
        port: of its API.
        raft: where the servers speak to each other, by which a leader is named.
        process: while it runs.
    """

    folder: Path
    port: int
    raft: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> ConsulClient:
        return ConsulClient(self.address)

    def start(self) -> None:
        self.launch()
        eventually(self.leads, within=60, every=0.05, what="a leader of Consul")

    def launch(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [own.program("consul"), "agent", f"-config-file={self.folder / 'consul.json'}"],
            stdout=log,
            stderr=log,
        )
        log.close()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def leads(self) -> bool:
        """Tell whether it knows a leader, and writes through it."""
        with suppress(ServerUnreachable):
            return bool(self.client.leader()) and self.client.kv_put("flowrex/test/ready", "")
        return False

    def keep(self) -> None:
        """Copy its data; it must be killed."""
        shutil.copytree(self.folder / "data", self.folder / "kept")

    def bring_back(self) -> None:
        """Give it its data of `keep` again; it must be killed."""
        shutil.rmtree(self.folder / "data")
        shutil.copytree(self.folder / "kept", self.folder / "data")


def prepare(folder: Path, count: int) -> list[Server]:
    """Write the configuration of servers that form one cluster; none is started.

    Args:
        folder: an empty one, for all of them.
        count: how many.
    """
    ports = [own.free_ports(3) for _ in range(count)]
    off = dict.fromkeys(("dns", "grpc", "grpc_tls", "serf_wan"), -1)
    made = []
    for number, (http, server, serf) in enumerate(ports):
        home = folder / f"consul-{number}"
        home.mkdir()
        settings = {
            "server": True,
            "bootstrap_expect": count,
            "node_name": f"consul-{number}",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "data_dir": str(home / "data"),
            "ports": {**off, "http": http, "server": server, "serf_lan": serf},
            "retry_join": [f"127.0.0.1:{other}" for _, _, other in ports],
            "retry_interval": "1s",
            "performance": {"raft_multiplier": 1},
            "disable_update_check": True,
        }
        (home / "consul.json").write_text(json.dumps(settings))
        made.append(Server(home, http, server))
    return made


@pytest.fixture
def consul(tmp_path: Path) -> Iterator[Server]:
    (server,) = prepare(tmp_path, 1)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Server]]:
    """Three servers, one of which leads."""
    servers = prepare(tmp_path, 3)
    try:
        for server in servers:
            server.launch()
        for server in servers:
            eventually(server.leads, within=60, every=0.05, what="a leader of Consul")
        yield servers
    finally:
        for server in servers:
            server.kill()


@dataclass
class Node:
    """A node with one hook, and what its lives left.

    Attributes:
        folder: its state, its hook and what that wrote.
        consul: its Consul.
    """

    folder: Path
    consul: Server

    def begin(self, at: int = 0, when: str = "before") -> subprocess.Popen[str]:
        """Begin a life that kills itself at a step; at 0 it does not."""
        return subprocess.Popen(
            [sys.executable, LIFE, self.folder, self.consul.address, str(at), when],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        )

    def live(self, at: int = 0, when: str = "before") -> tuple[int, str]:
        """Live to the end of the steps, or to the kill; return the status and what is wrong."""
        process = self.begin(at, when)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode in (0, -9), err
        return process.returncode, out.strip()

    def lines(self, name: str) -> list[str]:
        """Return what the hook, or the backup, wrote."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def messages(self) -> list[str]:
        return [path.stem for path in (self.folder / "state/notify/waiting").glob("*/*.json")]

    @property
    def acknowledged(self) -> bool:
        return self.consul.client.kv_get(keys.acknowledgement("agent", "node-1")) is not None


def hook_that_notes(tmp_path: Path) -> Path:
    """Make a node's folder, whose one hook notes each level it is told, and return it."""
    hooks = tmp_path / "node" / "hooks"
    hooks.mkdir(parents=True, mode=0o755)
    hook = hooks / "10-note"
    hook.write_text(f'#!/bin/sh\necho "$FLOWREX_LEVEL" >> {tmp_path}/node/ran\n')
    hook.chmod(0o755)
    return tmp_path / "node"


@pytest.fixture
def node(tmp_path: Path, consul: Server) -> Node:
    return Node(hook_that_notes(tmp_path), consul)
