"""Which folder and which port each server of a dev cluster has; nothing here changes the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SPAN = 2000
MAX_NODES = 3
HOST = "127.0.0.1"
MARKER = "FLOWREX_DEV_CLUSTER"

DEFAULT_BASE = 20000
DATACENTER = "dc1"

_DYNAMIC_FIRST = 1000
_DYNAMIC_PER_NODE = 300
_PER_NODE = 100


def state_dir(environ: Mapping[str, str], *, root_user: bool | None = None) -> Path:
    """Return the cluster's folder: FLOWREX_DEV_DIR, else the usual place for state.

    Symbolic links in it are followed: the kernel names a process's folder and a mount without them.

    Args:
        environ: the process's environment.
        root_user: whether the caller is root; found out unless given.
    """
    if named := environ.get("FLOWREX_DEV_DIR"):
        return Path(named).resolve()
    if os.geteuid() == 0 if root_user is None else root_user:
        return Path("/var/lib/flowrex/dev").resolve()
    home = Path(environ.get("HOME") or "~").expanduser()
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local/state")
    return (state / "flowrex/dev").resolve()


@dataclass(frozen=True)
class Node:
    """One machine of the cluster, as far as Consul and Nomad can tell.

    Attributes:
        index: 1 for the node that clients of the cluster ask, then 2, 3.
        base: the cluster's first port.
        servers: on so many nodes Consul's and Nomad's servers run, from the first on.
    """

    index: int
    base: int
    servers: int = 1

    @property
    def name(self) -> str:
        """The node's name, the same in Consul and in Nomad."""
        return f"node-{self.index}"

    @property
    def is_server(self) -> bool:
        """Whether a server of Consul and one of Nomad run here."""
        return self.index <= self.servers

    @property
    def is_first(self) -> bool:
        """Whether the cluster begins here, and clients are let in."""
        return self.index == 1

    def _port(self, offset: int) -> int:
        return self.base + _PER_NODE * (self.index - 1) + offset

    @property
    def nomad_http(self) -> int:
        """Nomad's API."""
        return self._port(46)

    @property
    def nomad_rpc(self) -> int:
        """Nomad's own protocol."""
        return self._port(47)

    @property
    def nomad_serf(self) -> int:
        """The gossip of Nomad's servers."""
        return self._port(48)

    @property
    def consul_http(self) -> int:
        """Consul's API."""
        return self._port(50)

    @property
    def consul_address(self) -> str:
        """The address of its Consul's API."""
        return f"http://{HOST}:{self.consul_http}"

    @property
    def consul_rpc(self) -> int:
        """Consul's own protocol."""
        return self._port(51)

    @property
    def consul_serf(self) -> int:
        """The gossip of Consul's agents."""
        return self._port(52)

    @property
    def dynamic(self) -> tuple[int, int]:
        """The first and the last port that Nomad gives to allocations."""
        first = self.base + _DYNAMIC_FIRST + _DYNAMIC_PER_NODE * (self.index - 1)
        return first, first + _DYNAMIC_PER_NODE - 1


@dataclass(frozen=True)
class Layout:
    """A cluster's ports and folders.

    Attributes:
        root: the cluster's folder, absolute.
        base: its first port; the whole cluster lives in `SPAN` ports from there.
        node_count: how many nodes it has.
        server_count: on how many of them, from the first on, Consul's and Nomad's servers run.
        docker: the address at which its Nomad finds something that runs containers; None where it
            is the usual one, if there is any.
    """

    root: Path
    base: int
    node_count: int = 1
    server_count: int = 1
    docker: str | None = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes, those with servers first."""
        return tuple(
            Node(index, self.base, self.server_count) for index in range(1, self.node_count + 1)
        )

    @property
    def servers(self) -> tuple[Node, ...]:
        """The nodes with a server of Consul and one of Nomad."""
        return tuple(node for node in self.nodes if node.is_server)

    @property
    def postgres(self) -> int:
        """PostgreSQL's primary."""
        return self.base + 32

    @property
    def replica(self) -> int:
        """PostgreSQL's streaming replica."""
        return self.base + 33

    @property
    def s3(self) -> int:
        """The S3 gateway."""
        return self.base + 70

    @property
    def s3_tls(self) -> int:
        """The S3 gateway over TLS, which pgBackRest insists on."""
        return self.base + 71

    @property
    def redis(self) -> int:
        """Redis."""
        return self.base + 79

    @property
    def nginx(self) -> int:
        """The platform's entry, a static port of the job nginx."""
        return self.base + 80

    @property
    def nginx_tls(self) -> int:
        """The same by TLS, where that is tried."""
        return self.base + 81

    @property
    def prometheus(self) -> int:
        """Prometheus, a static port of the job."""
        return self.base + 90

    @property
    def alertmanager(self) -> int:
        """Alertmanager, likewise."""
        return self.base + 93

    @property
    def vault(self) -> int:
        """Vault's API."""
        return self.base + 82

    @property
    def vault_cluster(self) -> int:
        """Vault's port for other Vaults, which it opens even when alone."""
        return self.base + 83

    @property
    def agent(self) -> int:
        """The node agent's health, metrics and status."""
        return self.base + 77

    @property
    def agent_job(self) -> int:
        """The same of an agent that runs as a job, on the last node."""
        return self.base + 78

    @property
    def nomad_address(self) -> str:
        """The address of Nomad's API."""
        return f"http://{HOST}:{self.nodes[0].nomad_http}"

    @property
    def consul_address(self) -> str:
        """The address of Consul's API."""
        return f"http://{HOST}:{self.nodes[0].consul_http}"

    @property
    def vault_address(self) -> str:
        """The address of Vault's API."""
        return f"http://{HOST}:{self.vault}"

    @property
    def s3_address(self) -> str:
        """The address of the S3 gateway."""
        return f"http://{HOST}:{self.s3}"

    @property
    def s3_tls_address(self) -> str:
        """The address of the S3 gateway over TLS; its certificate is of Vault's own authority.

        By name: pgBackRest looks for an address among a certificate's names and does not find it.
        """
        return f"https://localhost:{self.s3_tls}"

    @property
    def cgroup(self) -> str:
        """The cgroup under which Nomad puts this cluster's tasks, and no other cluster's."""
        return f"flowrex-{self.base}.slice"

    @property
    def state_file(self) -> Path:
        """Where the cluster remembers what it started."""
        return self.root / "cluster.json"

    @property
    def environment_file(self) -> Path:
        """The layer that tells `flowrexctl` where the servers are."""
        return self.root / "environment.yaml"

    def job_ports(self) -> dict[int, str]:
        """Return the ports that jobs ask for and what each is for."""
        return {
            self.nginx: "the platform's entry",
            self.nginx_tls: "the platform's entry by TLS",
            self.prometheus: "Prometheus",
            self.alertmanager: "Alertmanager",
        }

    def ports(self) -> dict[str, dict[int, str]]:
        """Return every port that a server listens on and what it is for, by server."""
        wanted = {
            "postgres": {self.postgres: "PostgreSQL"},
            "postgres-replica": {self.replica: "PostgreSQL's replica"},
            "s3": {self.s3: "the S3 gateway"},
            "s3-tls": {self.s3_tls: "the S3 gateway over TLS"},
            "redis": {self.redis: "Redis"},
            "vault": {self.vault: "Vault's API", self.vault_cluster: "Vault's cluster port"},
        }
        wanted["agent"] = {self.agent: "the node agent"}
        for node in self.nodes:
            wanted[f"consul-{node.index}"] = {
                node.consul_http: f"Consul's API on {node.name}",
                node.consul_serf: f"Consul's gossip on {node.name}",
            }
            wanted[f"nomad-{node.index}"] = {node.nomad_http: f"Nomad's API on {node.name}"}
            if node.is_server:
                wanted[f"consul-{node.index}"][node.consul_rpc] = f"Consul's RPC on {node.name}"
                wanted[f"nomad-{node.index}"] |= {
                    node.nomad_rpc: f"Nomad's RPC on {node.name}",
                    node.nomad_serf: f"Nomad's gossip on {node.name}",
                }
        return wanted

    def data(self, server: str) -> Path:
        """Return the folder of a server's data."""
        return self.root / "data" / server

    def log(self, server: str) -> Path:
        """Return a server's log file."""
        return self.root / "logs" / f"{server}.log"

    def config(self, server: str, suffix: str) -> Path:
        """Return a server's configuration file; it may hold tokens."""
        return self.root / "config" / f"{server}.{suffix}"

    def allocations(self, node: Node) -> Path:
        """Return Nomad's folder of allocations; short, for there are sockets deep inside it."""
        return self.root / "alloc" / str(node.index)

    def allocation_mounts(self, node: Node) -> Path:
        """Return Nomad's folder of what it mounts for allocations."""
        return self.root / "mounts" / str(node.index)

    def token(self, name: str) -> Path:
        """Return the file of a token, for example `nomad-operator`."""
        return self.root / "tokens" / name

    def secret(self, name: str) -> Path:
        """Return the file of a password or a key."""
        return self.root / "secrets" / name
