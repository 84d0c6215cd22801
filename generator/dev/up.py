"""Bring the cluster up: make what is missing, start what is dead, leave the rest alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.errors import UsageError
from generator.dev import (
    configure,
    consul,
    fleet,
    layer,
    leftovers,
    ports,
    postgres_settings,
    process,
    s3,
    state,
)
from generator.dev.layout import DEFAULT_BASE, MAX_NODES, Layout, Node
from generator.dev.settings import Settings
from generator.dev.supervise import Cancelled, Started, Supervisor

if TYPE_CHECKING:
    from generator.bootstrap import Target
    from generator.dev.servers import Binary
    from generator.environment import Environment

SERVERS = (1, 3)
BINARIES = ("consul", "vault", "postgresql-database-plugin", "nomad", "versitygw")

Binaries = Mapping[str, "Binary"]


@dataclass
class Result:
    """What `up` did.

    Attributes:
        layout: the cluster.
        servers: each server with what was done for it.
        configured: the bootstrap's steps that changed something, or None where it was not needed.
    """

    layout: Layout
    servers: list[Started] = field(default_factory=list)
    configured: list[str] | None = None


def plan_layout(
    settings: Settings,
    known: state.ClusterState | None,
    nodes: int | None,
    servers: int | None = None,
) -> Layout:
    """Return the layout that a cluster is to have.

    Args:
        settings: what the person chose.
        known: the cluster's record, where there is one.
        nodes: how many nodes are asked for, or None.
        servers: on how many of them servers are asked for, or None.

    Raises:
        UsageError: the ports or the number of nodes can't change before `down`.
    """
    if servers is not None and servers not in SERVERS:
        raise UsageError(f"--servers is {servers}; 1 or 3 have a majority that is worth its name")
    if servers is not None and nodes is None:
        nodes = servers
    if servers is not None and nodes is not None and servers > nodes:
        raise UsageError(f"--servers is {servers}, and there are {nodes} nodes for them")
    if nodes is not None and not 1 <= nodes <= MAX_NODES:
        raise UsageError(f"--nodes is {nodes}; from 1 to {MAX_NODES} fit into the cluster's ports")
    if known is None:
        base = settings.base or DEFAULT_BASE
        return Layout(settings.root, base, nodes or 1, servers or 1, settings.docker)
    base = settings.base or known.layout.base
    if not known.servers:
        return Layout(settings.root, base, nodes or 1, servers or 1, settings.docker)
    # Also one that crashed: Nomad's record tells of its ports and of its nodes.
    count = nodes or known.layout.node_count
    if base != known.layout.base:
        raise UsageError(
            f"the cluster has ports from {known.layout.base}, not from {base}",
            hint="`flowrexctl dev down` first, or name another FLOWREX_DEV_DIR.",
        )
    if count < known.layout.node_count:
        raise UsageError(
            f"the cluster has {known.layout.node_count} nodes, not {count}",
            hint="`flowrexctl dev down` first.",
        )
    if servers not in (None, known.layout.server_count):
        raise UsageError(
            f"the cluster has servers on {known.layout.server_count} nodes, not on {servers}",
            hint="`flowrexctl dev down` first.",
        )
    docker = settings.docker or known.layout.docker
    return Layout(settings.root, base, count, known.layout.server_count, docker)


def up(
    settings: Settings,
    project: Path,
    *,
    nodes: int | None = None,
    servers: int | None = None,
    find: Callable[[Callable[[str], None]], Binaries],
    tell: Callable[[str], None],
) -> Result:
    """Bring the cluster up, or repair it.

    Args:
        settings: where it lives.
        project: the checkout whose settings and policies it gets.
        nodes: how many nodes it has; as many as it has, else one.
        servers: on how many of them servers run; as many as now, else one.
        find: returns the servers' programs, having made them if need be.
        tell: is told what is happening.

    Raises:
        ConfigurationError: a port is taken, or a program is missing.
        LockHeld: another command changes the cluster.
        ServerUnreachable: a server does not get ready, or refuses to be configured.
    """
    with state.locked(settings.root):
        known = state.load(settings.root)
        layout = plan_layout(settings, known, nodes, servers)
        record = known or state.ClusterState(layout)
        record.layout = layout
        _check_ports(record)
        binaries = find(tell)
        # The record first: by it `reset` knows that the folders are the cluster's.
        record.save()
        _folders(layout)
        layer.write(layout)
        return _Rise(record, project, binaries, tell).run()


class _Rise:
    """One `up`, in its stages."""

    def __init__(
        self,
        record: state.ClusterState,
        project: Path,
        binaries: Binaries,
        tell: Callable[[str], None],
    ) -> None:
        self._state = record
        self._layout = record.layout
        self._project = project
        self._binaries = binaries
        self._tell = tell
        self._supervisor = Supervisor(record, tell)
        self._environment = _environment(record.layout, project)

    def run(self) -> Result:
        """Take the stages in order and return what was done."""
        first, *further = self._layout.nodes
        self._together(self._databases, self._store, partial(self._consul, first), self._vault)
        wanted = configure.fingerprint(self._project)
        changed = self._changed() or self._state.configured != wanted
        target = self._target()
        steps: list[str] = []
        if changed:
            steps += self._first_half(target)
        self._together(
            partial(self._redis, target),
            partial(self._archive, target),
            partial(self._nomad, first),
            *(partial(self._consul, node) for node in further),
        )
        changed = changed or self._changed()
        if changed:
            steps += self._second_half(target, wanted)
        self._together(self._agent, *(partial(self._nomad, node) for node in further))
        order = list(reversed(fleet.stop_order([done.name for done in self._supervisor.done])))
        servers = sorted(self._supervisor.done, key=lambda done: order.index(done.name))
        return Result(self._layout, servers, steps if changed else None)

    def _databases(self) -> None:
        self._supervisor.ensure(fleet.primary(self._layout))
        self._supervisor.ensure(fleet.replica(self._layout))

    def _store(self) -> None:
        binary = self._binaries["versitygw"]
        started = self._supervisor.ensure(
            fleet.store(self._layout, binary.path, binary.version, self._environment.s3.region)
        )
        if started.action != "kept" or self._state.configured is None:
            s3.configure(self._layout, self._environment)

    def _consul(self, node: Node) -> None:
        binary = self._binaries["consul"]
        self._supervisor.ensure(fleet.consul_agent(self._layout, node, binary.path, binary.version))

    def _vault(self) -> None:
        binary = self._binaries["vault"]
        plugin = self._plugin()
        self._supervisor.ensure(
            fleet.vault_server(
                self._layout, binary.path, binary.version, plugin.parent if plugin else None
            )
        )

    def _redis(self, target: Target) -> None:
        from generator.dev import redis

        def prepare() -> None:
            login, monitor = configure.redis_login(target), configure.redis_monitor(target)
            redis.prepare(self._layout, login, monitor)

        self._supervisor.ensure(fleet.cache(self._layout, prepare))

    def _archive(self, target: Target) -> None:
        from generator.dev import archive

        if postgres_settings.socket_dir(self._layout) is None:
            self._tell("PostgreSQL archives nothing: FLOWREX_DEV_DIR is too long for its socket")
            return
        binary = self._binaries["versitygw"]
        region = self._environment.s3.region
        certificate = archive.certificate(self._layout, target)
        started = self._supervisor.ensure(
            fleet.secure_store(self._layout, binary.path, binary.version, region, certificate)
        )
        another = archive.configure(self._layout, target)
        if another or started.action != "kept" or self._did(postgres_settings.PRIMARY) != "kept":
            archive.create_stanza(self._layout, self._tell)

    def _nomad(self, node: Node) -> None:
        binary = self._binaries["nomad"]
        self._supervisor.ensure(fleet.nomad_agent(self._layout, node, binary.path, binary.version))

    def _agent(self) -> None:
        self._supervisor.ensure(
            fleet.node_agent(
                self._layout, self._environment, configure.code_fingerprint(self._project)
            )
        )

    def _target(self) -> Target:
        return configure.target(self._layout, self._environment, self._project, self._plugin())

    def _first_half(self, target: Target) -> list[str]:
        from generator import bootstrap

        self._tell("configuring PostgreSQL, Vault and Consul")
        # Until both halves are done, the next `up` has to do them.
        self._state.set_configured(None)
        report = bootstrap.before_nomad(target)
        consul.give_agent_token(self._layout, self._layout.nodes[0])
        return [step.name for step in report.changed]

    def _second_half(self, target: Target, fingerprint: str) -> list[str]:
        from generator import bootstrap

        self._tell("configuring Nomad's identities")
        report = bootstrap.after_nomad(configure.with_nomad(self._layout, target))
        self._state.set_configured(fingerprint)
        return [step.name for step in report.changed]

    def _plugin(self) -> Path | None:
        binary = self._binaries.get("postgresql-database-plugin")
        return binary.path.resolve() if binary else None

    def _did(self, server: str) -> str:
        return next(done.action for done in self._supervisor.done if done.name == server)

    def _changed(self) -> bool:
        return any(done.action != "kept" for done in self._supervisor.done)

    def _together(self, *stages: Callable[[], None]) -> None:
        """Run stages side by side; the first failure stops the others' waiting, and is raised."""
        if not stages:
            return
        with ThreadPoolExecutor(len(stages)) as pool:
            futures = [pool.submit(stage) for stage in stages]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                if not all(future.done() for future in futures):
                    self._supervisor.cancelled.set()
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, Cancelled)):
            raise error


def _environment(layout: Layout, project: Path) -> Environment:
    from generator import environment

    return environment.load(project, "dev", environ={"FLOWREX_DEV_DIR": str(layout.root)})


def _check_ports(record: state.ClusterState) -> None:
    """Refuse to start where somebody else holds a port; what the cluster itself left is ended."""
    layout = record.layout
    jobs = layout.job_ports()
    wanted = dict(jobs)
    for server, needed in layout.ports().items():
        entry = record.servers.get(server)
        if entry is None or not process.alive(entry.identity):
            wanted |= needed
    taken = ports.holders(wanted)
    ours = {identity.pid: identity for identity in leftovers.processes(layout)} if taken else {}
    if foreign := [holder for holder in taken if holder.pid not in ours]:
        raise ports.taken_error(foreign, wanted)
    for holder in taken:
        # A job's port is held by that job, a task of Nomad's.
        if holder.pid is not None and holder.port not in jobs:
            process.stop(ours[holder.pid])


def _folders(layout: Layout) -> None:
    for name, mode in (
        ("data", 0o755),
        ("logs", 0o755),
        ("config", 0o700),
        ("tokens", 0o700),
        ("secrets", 0o700),
    ):
        folder = layout.root / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
