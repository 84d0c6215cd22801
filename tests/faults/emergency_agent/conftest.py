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
        process: while it runs.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> ConsulClient:
        return ConsulClient(self.address)

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [own.program("consul"), "agent", f"-config-file={self.folder / 'consul.json'}"],
            stdout=log,
            stderr=log,
        )
        log.close()
        eventually(self.leads, within=60, every=0.05, what="a leader of Consul")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def leads(self) -> bool:
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


@pytest.fixture
def consul(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "consul"
    folder.mkdir()
    http, server, serf = own.free_ports(3)
    off = dict.fromkeys(("dns", "grpc", "grpc_tls", "serf_wan"), -1)
    settings = {
        "server": True,
        "bootstrap_expect": 1,
        "node_name": "test",
        "bind_addr": "127.0.0.1",
        "client_addr": "127.0.0.1",
        "data_dir": str(folder / "data"),
        "ports": {**off, "http": http, "server": server, "serf_lan": serf},
        "performance": {"raft_multiplier": 1},
        "disable_update_check": True,
    }
    (folder / "consul.json").write_text(json.dumps(settings))
    running = Server(folder, http)
    running.start()
    try:
        yield running
    finally:
        running.kill()


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


@pytest.fixture
def node(tmp_path: Path, consul: Server) -> Node:
    hooks = tmp_path / "node" / "hooks"
    hooks.mkdir(parents=True, mode=0o755)
    hook = hooks / "10-note"
    hook.write_text(f'#!/bin/sh\necho "$FLOWREX_LEVEL" >> {tmp_path}/node/ran\n')
    hook.chmod(0o755)
    return Node(tmp_path / "node", consul)
