"""How the cluster is: each server's state, as the kernel and the server itself tell it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from generator.dev import (
    agent,
    consul,
    nomad,
    nomad_config,
    postgres,
    postgres_settings,
    process,
    redis,
    s3,
    state,
    vault,
)
from generator.dev.fleet import stop_order
from generator.dev.layout import Layout
from generator.dev.supervise import ended_since

State = Literal["running", "not ready", "dead", "stopped"]


@dataclass(frozen=True)
class ServerStatus:
    """One server.

    Attributes:
        name: the server.
        state: `running`, `not ready` (its process is there), `dead` or `stopped`.
        detail: why it is not running, or nothing.
        pid: its process, where there is one.
        port: where it answers.
        version: its version.
        uptime_s: the seconds since it was started, where it runs.
        log: its log file.
    """

    name: str
    state: State
    detail: str
    pid: int | None
    port: int
    version: str
    uptime_s: float | None
    log: str


@dataclass(frozen=True)
class ClusterStatus:
    """The cluster.

    Attributes:
        root: its folder.
        base: its first port.
        nodes: how many nodes it has.
        configured: whether the last bootstrap was complete.
        servers: each of its servers, in the order of their start.
    """

    root: str
    base: int
    nodes: int
    configured: bool
    servers: tuple[ServerStatus, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything runs and is configured."""
        return self.configured and all(one.state == "running" for one in self.servers)

    @property
    def stopped(self) -> bool:
        """Whether nothing runs, on purpose."""
        return all(one.state == "stopped" for one in self.servers)

    def as_document(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "healthy": self.healthy,
            "root": self.root,
            "base": self.base,
            "nodes": self.nodes,
            "configured": self.configured,
            "servers": [asdict(one) for one in self.servers],
        }


def status(root: Path) -> ClusterStatus | None:
    """Return how the cluster in `root` is, or None where there has been none."""
    known = state.load(root)
    if known is None:
        return None
    layout = known.layout
    names = list(reversed(stop_order(list(layout.ports()))))
    with ThreadPoolExecutor(len(names)) as pool:
        servers = tuple(pool.map(partial(_server, known), names))
    return ClusterStatus(
        str(root), layout.base, layout.node_count, known.configured is not None, servers
    )


def _server(known: state.ClusterState, name: str) -> ServerStatus:
    layout = known.layout
    record = known.servers.get(name)
    log = str(layout.log(name))
    if record is None:
        port = min(layout.ports()[name])
        return ServerStatus(name, "stopped", "", None, port, "", None, log)
    if not process.alive(record.identity):
        why = ended_since(record)
        return ServerStatus(name, "dead", why, None, record.port, record.version, None, log)
    why = problems(layout)[name]() or ""
    return ServerStatus(
        name,
        "not ready" if why else "running",
        why,
        record.identity.pid,
        record.port,
        record.version,
        round(time.time() - record.started_at, 1),
        log,
    )


def problems(layout: Layout) -> dict[str, Callable[[], str | None]]:
    """Return, for each server, what tells why it is not ready."""
    found: dict[str, Callable[[], str | None]] = {
        postgres_settings.PRIMARY: partial(postgres.problem, layout, postgres_settings.PRIMARY),
        postgres_settings.REPLICA: partial(postgres.problem, layout, postgres_settings.REPLICA),
        s3.NAME: partial(s3.problem, layout),
        s3.SECURE: partial(s3.secure_problem, layout),
        redis.NAME: partial(redis.problem, layout),
        vault.NAME: partial(vault.problem, layout),
        agent.NAME: partial(agent.problem, layout),
    }
    for node in layout.nodes:
        found[consul.name(node)] = partial(consul.problem, node)
        found[nomad_config.name(node)] = partial(nomad.problem, layout, node)
    return found
