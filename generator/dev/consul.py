"""Consul: servers on the first nodes, an agent on each further one; nothing without a token."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from flowrex.errors import ServerUnreachable
from flowrex.files import write_atomic
from flowrex.secret import Secret
from generator.dev import api, secrets
from generator.dev.layout import DATACENTER, HOST, Layout, Node
from generator.dev.process import Command


def name(node: Node) -> str:
    """Return the name of a node's Consul."""
    return f"consul-{node.index}"


def settings(
    layout: Layout, node: Node, *, management: Secret | None, agent: Secret | None
) -> dict[str, Any]:
    """Return the agent's configuration.

    Args:
        layout: the cluster.
        node: whose Consul it is.
        management: the token that may do everything; only the server's agent is told.
        agent: the token with which it registers its own node, once there is one.
    """
    tokens: dict[str, str] = {}
    if agent is not None:
        tokens["agent"] = agent.reveal()
    document: dict[str, Any] = {
        "datacenter": DATACENTER,
        "node_name": node.name,
        "data_dir": str(layout.data(name(node))),
        "bind_addr": HOST,
        "advertise_addr": HOST,
        "client_addr": HOST,
        "ports": {
            "http": node.consul_http,
            "server": node.consul_rpc,
            "serf_lan": node.consul_serf,
            "serf_wan": -1,
            "dns": -1,
            "grpc": -1,
            "grpc_tls": -1,
        },
        "acl": {
            "enabled": True,
            "default_policy": "deny",
            "down_policy": "extend-cache",
            "tokens": tokens,
        },
        "disable_update_check": True,
        # A check's words reach the servers at once, not only with its next change of state: a
        # failed deployment is explained with them.
        "check_update_interval": "0s",
        "telemetry": {"prometheus_retention_time": "1m", "disable_hostname": True},
        # Every worker of the application and every browser of the API waits in a request of its
        # own, all from one address.
        "limits": {"http_max_conns_per_client": 2000},
        "log_level": "INFO",
    }
    if node.is_server:
        document |= {
            "server": True,
            "connect": {"enabled": False},
            # One machine: fail over as fast as Consul can.
            "performance": {"raft_multiplier": 1},
        }
    if node.is_first:
        # The further servers join it, and leave it in order: alone again, it has its quorum.
        document |= {"bootstrap_expect": 1, "leave_on_terminate": False}
        if management is not None:
            tokens["initial_management"] = management.reveal()
    else:
        document["leave_on_terminate"] = True
    others = [f"{HOST}:{one.consul_serf}" for one in layout.servers if one != node]
    if others:
        document |= {"retry_join": others, "retry_interval": "1s"}
    return document


def prepare(layout: Layout, node: Node) -> None:
    """Write the configuration, with the agent's token where the bootstrap has made it."""
    text = json.dumps(
        settings(
            layout,
            node,
            management=secrets.token(layout.token("consul-management")),
            agent=secrets.read(layout.token("consul-agent")),
        ),
        indent=2,
    )
    layout.data(name(node)).mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(layout.config(name(node), "json"), text + "\n", mode=0o600)


def command(layout: Layout, node: Node, binary: Path) -> Command:
    """Return how a node's Consul is started."""
    argv = (str(binary), "agent", f"-config-file={layout.config(name(node), 'json')}")
    return Command(name(node), argv, cwd=layout.data(name(node)))


def give_agent_token(layout: Layout, node: Node) -> None:
    """Hand the agent's token to a Consul that was started before there was one."""
    token = secrets.read(layout.token("consul-agent"))
    if token is None:
        return
    answer = api.call(
        f"http://{HOST}:{node.consul_http}/v1/agent/token/agent",
        method="PUT",
        body={"Token": token.reveal()},
        token=(api.CONSUL_TOKEN, secrets.token(layout.token("consul-management"))),
    )
    api.demand(answer, f"Consul on {node.name} does not take its agent token")


def forget_services(data: Path) -> None:
    """Remove what a Consul that is down remembers of services that Nomad ran.

    Args:
        data: that Consul's data folder.
    """
    for folder in ("services", "checks"):
        shutil.rmtree(data / folder, ignore_errors=True)


def problem(node: Node) -> str | None:
    """Return why a node's Consul is not ready, or None where it is.

    It is when it answers a consistent read: its servers have a leader, and that one has caught up
    with what was written before it was elected.
    """
    url = f"http://{HOST}:{node.consul_http}/v1/catalog/nodes?consistent"
    try:
        answer = api.call(url, timeout_s=3)
    except ServerUnreachable as error:
        return error.message
    if answer.ok:
        return None
    if answer.status == 500:
        return "it has no leader yet, or one that has not caught up"
    return f"it answers HTTP {answer.status}"
