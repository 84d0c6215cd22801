"""Nomad: server and client on the first node, a client on each further one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from flowrex.errors import ServerUnreachable
from flowrex.files import write_atomic
from generator.dev import api, secrets
from generator.dev.layout import HOST, Layout, Node
from generator.dev.nomad_config import name, settings
from generator.dev.process import Command

_ALREADY = "already done"


def prepare(layout: Layout, node: Node) -> None:
    """Write the configuration and make the folders; the bootstrap's first half must be done."""
    consul = secrets.read(layout.token("consul-nomad"))
    layout.data(name(node)).mkdir(parents=True, exist_ok=True, mode=0o700)
    # Tasks of other users walk through these.
    for folder in (layout.allocations(node), layout.allocation_mounts(node)):
        folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    text = settings(layout, node, consul=consul)
    write_atomic(layout.config(name(node), "hcl"), text, mode=0o600)


def command(layout: Layout, node: Node, binary: Path) -> Command:
    """Return how a node's Nomad is started."""
    argv = (str(binary), "agent", f"-config={layout.config(name(node), 'hcl')}")
    return Command(name(node), argv, cwd=layout.data(name(node)))


def forget_client(layout: Layout, node: Node) -> None:
    """Let a client that runs nothing register as a new one, which is quicker."""
    if not any(layout.allocations(node).iterdir()):
        shutil.rmtree(layout.data(name(node)) / "client", ignore_errors=True)


def start_acls(layout: Layout) -> None:
    """Make the management token Nomad's first, once; Nomad must have a leader."""
    token = secrets.token(layout.token("nomad-management"))
    answer = api.call(
        f"{layout.nomad_address}/v1/acl/bootstrap",
        method="POST",
        body={"BootstrapSecret": token.reveal()},
        timeout_s=10,
    )
    if answer.ok or _ALREADY in str(answer.body):
        return
    api.demand(answer, "Nomad does not start its ACLs")


def ask(layout: Layout, path: str, *, method: str = "GET", timeout_s: float = 5.0) -> Any:
    """Ask Nomad something with the management token and return its document.

    Args:
        layout: the cluster.
        path: the path and query, from `/v1/` on.
        method: the HTTP method.
        timeout_s: how long Nomad may take.

    Raises:
        ServerUnreachable: Nomad does not answer.
        ServerRefused: it refuses.
    """
    token = secrets.token(layout.token("nomad-management"))
    answer = api.call(
        f"{layout.nomad_address}{path}",
        method=method,
        token=(api.NOMAD_TOKEN, token),
        timeout_s=timeout_s,
    )
    return api.demand(answer, f"Nomad refuses {path.split('?')[0]}")


def leader_problem(layout: Layout) -> str | None:
    """Return why Nomad's server can't work, or None where it has a leader."""
    try:
        answer = api.call(f"{layout.nomad_address}/v1/status/leader", timeout_s=3)
    except ServerUnreachable as error:
        return error.message
    if not answer.ok:
        return f"it answers HTTP {answer.status}"
    return None if answer.body else "it has no leader yet"


def problem(layout: Layout, node: Node) -> str | None:
    """Return why a node's Nomad is not ready, or None: there is a leader, and the node is ready."""
    if node.is_server and (why := leader_problem(layout)):
        return why
    try:
        health = api.call(f"http://{HOST}:{node.nomad_http}/v1/agent/health", timeout_s=3)
        if not health.ok:
            return f"it answers HTTP {health.status}"
        nodes = ask(layout, "/v1/nodes")
    except ServerUnreachable as error:
        return error.message
    states = [entry["Status"] for entry in nodes if entry["Name"] == node.name]
    if "ready" in states:
        return None
    return f"its node is {states[0]}" if states else "its node is not registered yet"
