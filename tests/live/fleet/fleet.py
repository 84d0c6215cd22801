"""A cluster of three servers and three clients, and what happens to it."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import Cluster, eventually

_PER_NODE = 100


def prod_shaped(project: Path) -> None:
    """Give the local environment prod's numbers of instances."""
    path = project / "jobs" / "environments" / "dev.yaml"
    text = path.read_text()
    for job, count in (("backend", 5), ("frontend", 3)):
        text = re.sub(rf"(\n{job}:\n  count: )\d+", rf"\g<1>{count}", text)
    path.write_text(text)


class Fleet:
    """Three nodes, each with a server of Nomad, one of Consul, and a client.

    flowrexctl asks the first node's; what dies is never that one, as a load balancer in front of
    the servers would have it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def api(self, server: str, path: str, *, method: str = "GET") -> Any:
        """Ask the first node's Nomad or Consul, as who may do everything."""
        port, header = {"nomad": (46, "X-Nomad-Token"), "consul": (50, "X-Consul-Token")}[server]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.cluster.base + port}/v1/{path}",
            headers={header: self.cluster.token(server, "management")},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)

    def leader(self, server: str) -> int:
        """Return the node whose server leads; 0 while one is elected."""
        try:
            address = self.api(server, "status/leader")
        except urllib.error.HTTPError:
            return 0
        if not address:
            return 0
        offset = {"nomad": 47, "consul": 51}[server]
        port = int(address.rpartition(":")[2])
        return 1 + (port - offset - self.cluster.base) // _PER_NODE

    def voters(self, server: str) -> list[dict[str, Any]]:
        """Return the servers that vote."""
        raft = self.api(server, "operator/raft/configuration")
        return [one for one in raft["Servers"] if one["Voter"]]

    def lead_elsewhere(self, server: str) -> int:
        """Let another than the first node's server lead, and return its node."""
        eventually(lambda: len(self.voters(server)) == 3, within=60, what="three voters")
        eventually(lambda: self.leader(server) > 0, within=30, what=f"{server}'s leader")
        if (now := self.leader(server)) != 1:
            return now
        other = next(one for one in self.voters(server) if not one["Leader"])
        path = {
            "nomad": f"operator/raft/transfer-leadership?address={other['Address']}",
            "consul": f"operator/raft/transfer-leader?id={other['ID']}",
        }[server]
        self.api(server, path, method="POST")
        eventually(lambda: self.leader(server) > 1, within=30, what=f"{server}'s other leader")
        return self.leader(server)

    def kill(self, server: str) -> None:
        """Kill a server of the cluster, as `dev status` names it."""
        os.kill(self.cluster.server(server)["pid"], signal.SIGKILL)

    def kill_machine(self, node: int) -> None:
        """Kill what a machine that stops takes along: its agents, and all that ran on it."""
        for server in (f"nomad-{node}", f"consul-{node}"):
            self.kill(server)
        folder = f"{self.cluster.state}/alloc/{node}/"
        for path in Path("/proc").glob("[0-9]*"):
            try:
                environ = (path / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if f"NOMAD_ALLOC_DIR={folder}" in environ:
                os.kill(int(path.name), signal.SIGKILL)

    def repair(self) -> None:
        """Start what is dead."""
        self.cluster.run("dev", "up")
        for server in ("nomad", "consul"):
            eventually(lambda: len(self.voters(server)) == 3, within=60, what="three voters")  # noqa: B023

    @contextmanager
    def drained(self, node: int) -> Iterator[None]:
        """Drain a node as an operator does who does not wait for the deployment's end."""
        name = f"node-{node}"
        identity = next(one["ID"] for one in self.cluster.nomad("nodes") if one["Name"] == name)
        spec = {"Deadline": 120_000_000_000, "IgnoreSystemJobs": True}
        self.cluster.nomad(f"node/{identity}/drain", {"DrainSpec": spec})
        try:
            yield
        finally:
            body = {"DrainSpec": None, "MarkEligible": True}
            self.cluster.nomad(f"node/{identity}/drain", body)
