"""The servers of a cluster: how each is started, when it is ready, and in which order."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex import __version__
from generator.dev import (
    agent,
    consul,
    nomad,
    nomad_config,
    postgres,
    postgres_install,
    postgres_settings,
    redis,
    s3,
    vault,
)
from generator.dev.layout import Layout, Node
from generator.dev.process import Command

if TYPE_CHECKING:
    from generator.environment import Environment

Problem = Callable[[], str | None]


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Server:
    """One server.

    Attributes:
        name: its name, also of its log and its data folder.
        port: where it answers.
        version: its version.
        settings: its configuration without secrets; another one needs a restart.
        command: how it is started, asked for just before.
        problem: why it is not ready, or None.
        prepare: makes its folders and files; may be called again.
        reachable: why it can't even be asked, where that comes before being ready.
        open_up: what is done to it between the two, for example unsealing.
        again: what is done before a second try, where the first did not get ready.
        clear: removes what a killed one left in its folder; none of its processes is there.
        ready_s: how long it may take to be ready.
        settle_s: how long it may take at its first try once it can be asked, where a second try is
            quicker than waiting longer.
        tasks: whether its child processes outlive it on purpose.
    """

    name: str
    port: int
    version: str
    settings: str
    command: Callable[[], Command]
    problem: Problem
    prepare: Callable[[], None] = _nothing
    reachable: Problem | None = None
    open_up: Callable[[], None] = _nothing
    again: Callable[[], None] = _nothing
    clear: Callable[[], None] = _nothing
    ready_s: float = 45.0
    settle_s: float | None = None
    tasks: bool = False

    def fingerprint(self, command: Command) -> str:
        """Return what changes when it would be started differently."""
        parts = [*command.argv, str(command.cwd), command.user or "", self.version, self.settings]
        return sha256("\0".join(parts).encode()).hexdigest()


def primary(layout: Layout) -> Server:
    """Return PostgreSQL's primary."""
    return Server(
        name=postgres_settings.PRIMARY,
        port=layout.postgres,
        version=postgres_install.version(),
        settings=postgres_settings.primary_settings(layout),
        command=partial(postgres.command, layout, postgres_settings.PRIMARY),
        problem=partial(postgres.problem, layout, postgres_settings.PRIMARY),
        prepare=partial(postgres.prepare_primary, layout),
        clear=partial(postgres.forget_lock, layout, postgres_settings.PRIMARY),
    )


def replica(layout: Layout) -> Server:
    """Return PostgreSQL's replica, which is copied afresh where it can't follow any more."""
    return Server(
        name=postgres_settings.REPLICA,
        port=layout.replica,
        version=postgres_install.version(),
        settings=postgres_settings.settings(postgres_settings.REPLICA, layout.replica),
        command=partial(postgres.command, layout, postgres_settings.REPLICA),
        problem=partial(postgres.problem, layout, postgres_settings.REPLICA),
        prepare=partial(postgres.prepare_replica, layout),
        again=partial(postgres.forget_replica, layout),
        clear=partial(postgres.forget_lock, layout, postgres_settings.REPLICA),
        ready_s=30.0,
    )


def cache(layout: Layout, prepare: Callable[[], None]) -> Server:
    """Return Redis.

    Args:
        layout: the cluster.
        prepare: writes its settings and users, which come from Vault.
    """
    return Server(
        name=redis.NAME,
        port=layout.redis,
        version=redis.version(),
        # Redis reads its users at its start.
        settings=redis.settings(layout) + redis.RIGHTS,
        command=partial(redis.command, layout),
        problem=partial(redis.problem, layout),
        prepare=prepare,
    )


def store(layout: Layout, binary: Path, version: str, region: str) -> Server:
    """Return the S3 gateway."""
    return Server(
        name=s3.NAME,
        port=layout.s3,
        version=version,
        settings="",
        command=partial(s3.command, layout, binary, region),
        problem=partial(s3.problem, layout),
        prepare=partial(s3.prepare, layout),
    )


def secure_store(
    layout: Layout, binary: Path, version: str, region: str, certificate: str
) -> Server:
    """Return the S3 gateway over TLS.

    Args:
        layout: the cluster.
        binary: the gateway's program.
        version: its version.
        region: the region that requests are signed for.
        certificate: what it shows; another one needs a restart.
    """
    return Server(
        name=s3.SECURE,
        port=layout.s3_tls,
        version=version,
        settings=certificate,
        command=partial(s3.secure_command, layout, binary, region),
        problem=partial(s3.secure_problem, layout),
        prepare=partial(s3.prepare_secure, layout),
    )


def consul_agent(layout: Layout, node: Node, binary: Path, version: str) -> Server:
    """Return a node's Consul."""
    return Server(
        name=consul.name(node),
        port=node.consul_http,
        version=version,
        settings=str(consul.settings(layout, node, management=None, agent=None)),
        command=partial(consul.command, layout, node, binary),
        problem=partial(consul.problem, node),
        prepare=partial(consul.prepare, layout, node),
    )


def vault_server(layout: Layout, binary: Path, version: str, plugins: Path | None) -> Server:
    """Return Vault."""
    return Server(
        name=vault.NAME,
        port=layout.vault,
        version=version,
        settings=str(vault.settings(layout, plugins)),
        command=partial(vault.command, layout, binary),
        problem=partial(vault.problem, layout),
        prepare=partial(vault.prepare, layout, plugins),
        reachable=partial(vault.answering, layout),
        open_up=partial(vault.open_up, layout),
    )


def nomad_agent(layout: Layout, node: Node, binary: Path, version: str) -> Server:
    """Return a node's Nomad."""
    return Server(
        name=nomad_config.name(node),
        port=node.nomad_http,
        version=version,
        settings=nomad_config.settings(layout, node, consul=None),
        command=partial(nomad.command, layout, node, binary),
        problem=partial(nomad.problem, layout, node),
        prepare=partial(nomad.prepare, layout, node),
        reachable=partial(nomad.leader_problem, layout),
        open_up=partial(nomad.start_acls, layout) if node.is_first else _nothing,
        again=partial(nomad.forget_client, layout, node),
        # A new server has no key yet when its own client registers, about every other time; the
        # client tries again half a minute later, a new start right away.
        settle_s=2.5 if node.is_first else None,
        tasks=True,
    )


def node_agent(layout: Layout, environment: Environment, code: str) -> Server:
    """Return the node agent of the first node.

    Args:
        layout: the cluster.
        environment: its settings.
        code: what changes when the agent's code does, so that `up` starts it again.
    """
    return Server(
        name=agent.NAME,
        port=layout.agent,
        version=__version__,
        settings=agent.text(layout, environment) + code,
        command=partial(agent.command, layout),
        problem=partial(agent.problem, layout),
        prepare=partial(agent.prepare, layout, environment),
    )


def stop_order(names: list[str]) -> list[str]:
    """Return servers in the order in which they are stopped: who needs another goes first."""
    # PostgreSQL's last WAL goes to the store while it stops.
    databases = (postgres_settings.REPLICA, postgres_settings.PRIMARY)
    order = (agent.NAME, "nomad", "redis", "vault", "consul", *databases, s3.SECURE, s3.NAME)

    def rank(name: str) -> tuple[int, int]:
        kind, _, number = name.partition("-")
        if name in order:
            return order.index(name), 0
        return order.index(kind) if kind in order else len(order), -int(number or 0)

    return sorted(names, key=rank)


def stop_signal(name: str) -> int:
    """Return the signal that ends a server quickly and in order."""
    # PostgreSQL takes SIGTERM as "when the last client has gone".
    return (
        signal.SIGINT
        if name in (postgres_settings.PRIMARY, postgres_settings.REPLICA)
        else signal.SIGTERM
    )
