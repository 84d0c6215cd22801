"""Which of an environment's agents can do what, as they tell of themselves in Consul."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flowrex import keys
from flowrex.consul import ConsulClient, KVEntry
from flowrex.errors import ServerUnreachable, UsageError
from flowrex.node_requests import Kind


@dataclass(frozen=True)
class Agent:
    """A node's agent as it told of itself last.

    Attributes:
        node: its node.
        environment: the node's.
        state: `running`, `stopping` or `stopped`.
        at: when it said so.
        does: the kinds of requests that it does.
    """

    node: str
    environment: str
    state: str
    at: str
    does: frozenset[str]


def agents(consul: ConsulClient, environment: str) -> list[Agent]:
    """Return the agents of an environment, by node."""
    found = []
    for entry in consul.kv_list(keys.AGENTS):
        agent = _agent(entry)
        if agent.environment == environment:
            found.append(agent)
    return found


def _agent(entry: KVEntry) -> Agent:
    node = entry.key.removeprefix(keys.AGENTS)
    try:
        document: Any = json.loads(entry.value)
        does = document["tasks"]["requests"]["does"]
        return Agent(
            node,
            str(document["environment"]),
            str(document["state"]),
            str(document["at"]),
            frozenset(map(str, does)),
        )
    except (ValueError, KeyError, TypeError):
        return Agent(node, "", "unreadable", "", frozenset())


def able(
    consul: ConsulClient, environment: str, kind: Kind, node: str | None = None
) -> list[Agent]:
    """Return the agents that run and do a kind of request.

    Args:
        consul: where agents tell of themselves.
        environment: whose.
        kind: what for.
        node: the one that the person names; None: any.
    """
    return [
        one
        for one in agents(consul, environment)
        if kind in one.does and one.state == "running" and node in (None, one.node)
    ]


def choose(consul: ConsulClient, environment: str, kind: Kind, node: str | None = None) -> str:
    """Return the node whose agent is asked.

    Args:
        consul: where agents tell of themselves.
        environment: whose.
        kind: what for.
        node: the one that the person names; None: the first that does it.

    Raises:
        UsageError: the one that is named does not do it.
        ServerUnreachable: no agent that runs does it.
    """
    found = agents(consul, environment)
    can = [one for one in found if kind in one.does]
    if node is not None:
        if not any(one.node == node for one in can):
            known = ", ".join(one.node for one in can) or "none"
            raise UsageError(
                f"no agent of {environment} on {node!r} does {kind}",
                hint=f"Those that do: {known}.",
            )
        return node
    if running := [one.node for one in can if one.state == "running"]:
        return running[0]
    raise ServerUnreachable(
        f"no agent of {environment} runs that does {kind}",
        hint=f"flowrexctl agents {environment} shows them; {_section(kind)}.enabled in an agent's "
        "configuration switches that on.",
    )


def _section(kind: Kind) -> str:
    return {"physical": "physical", "snapshot": "snapshots"}.get(kind.split("_")[0], "backup")
