"""The nodes' agents, as Consul and Nomad tell of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flowrex import keys
from flowrex.duration import ago

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient, KVEntry, ServiceCheck

SERVICE = "flowrex-agent"

MISSING = "missing"  # a node that runs jobs and has no agent
UNREADABLE = "unreadable"

# An agent writes its document twice a minute; an older one tells of the past only.
_LATE_AFTER = timedelta(minutes=3)


@dataclass(frozen=True)
class NodeAgent:
    """One node's agent.

    Attributes:
        node: the node.
        status: `passing`, `warning` or `critical`, as Consul's check says it; `missing`.
        age_s: seconds since it wrote its document; None where there is none.
        version: its version.
        tasks: each task's state by name.
        lag: what it is behind with, in words; empty where it is not.
        problems: a sentence for each thing that is wrong.
        document: all that it says.
    """

    node: str
    status: str
    age_s: float | None = None
    version: str = ""
    tasks: Mapping[str, str] = field(default_factory=dict)
    lag: str = ""
    problems: tuple[str, ...] = ()
    document: Mapping[str, Any] | None = None

    def as_document(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "node": self.node,
            "status": self.status,
            "age_s": self.age_s,
            "version": self.version,
            "tasks": dict(self.tasks),
            "lag": self.lag,
            "problems": list(self.problems),
            "document": self.document,
        }


def read(
    consul: ConsulClient, environment: str, nodes: Sequence[str], now: datetime
) -> list[NodeAgent]:
    """Ask Consul for an environment's agents.

    Args:
        consul: where they tell how they are.
        environment: the environment's name.
        nodes: the nodes that should have one, as Nomad names them.
        now: the time.

    Raises:
        ServerUnreachable: Consul does not answer, or refuses.
    """
    return judge(consul.kv_list(keys.AGENTS), consul.checks_of(SERVICE), environment, nodes, now)


def judge(
    entries: Iterable[KVEntry],
    checks: Iterable[ServiceCheck],
    environment: str,
    nodes: Sequence[str],
    now: datetime,
) -> list[NodeAgent]:
    """Return each agent, and each node without one, sorted by node.

    The check is the newer word: it turns critical by itself where an agent falls silent.

    Args:
        entries: the agents' documents.
        checks: the service's checks.
        environment: whose agents are wanted.
        nodes: the nodes that should have one.
        now: the time.
    """
    by_node = {check.check_id.removeprefix(f"{SERVICE}-"): check for check in checks}
    found = {}
    for entry in entries:
        node = entry.key.removeprefix(keys.AGENTS)
        document = _document(entry.value)
        if document is None:
            found[node] = NodeAgent(node, UNREADABLE, problems=("its document can't be read",))
        elif document["environment"] == environment:
            found[node] = _agent(node, document, by_node.get(node), now)
    for node in nodes:
        if node not in found:
            found[node] = NodeAgent(node, MISSING, problems=("no agent has ever told of itself",))
    return [found[node] for node in sorted(found)]


def _agent(
    node: str, document: Mapping[str, Any], check: ServiceCheck | None, now: datetime
) -> NodeAgent:
    age = now - datetime.fromisoformat(document["at"])
    problems = [str(one) for one in document.get("problems", ())]
    status = str(document["check"]["status"])
    if check is None:
        status = "critical"
        problems.append(
            "Consul has no check of it: it was deregistered, or its Consul agent is new"
        )
    elif check.status != status:
        status = check.status
        problems.append(f"Consul's check says: {check.output or check.status}")
    if document["state"] == "stopped":
        status = "critical"
        problems.append("it was stopped")
    elif age > _LATE_AFTER:
        status = "critical"
        problems.append(f"it has not told of itself for {age.total_seconds():.0f} s")
    tasks = document["tasks"]
    return NodeAgent(
        node,
        status,
        round(age.total_seconds(), 1),
        str(document["version"]),
        {name: str(task["state"]) for name, task in tasks.items()},
        lag(tasks),
        tuple(problems),
        document,
    )


def lag(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what an agent is behind with, in words: bytes of the audit log, its oldest's age.

    Args:
        tasks: its tasks' documents, by name.
    """
    said = []
    for sink, one in (tasks.get("audit", {}).get("sinks") or {}).items():
        behind = one.get("lag") or {}
        if behind.get("bytes"):
            said.append(f"{sink}: {_bytes(behind['bytes'])}, {ago(behind.get('seconds') or 0)}")
    return "; ".join(said)


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}"
        count /= 1000
    raise AssertionError


def _document(value: bytes) -> dict[str, Any] | None:
    """Return an agent's document, or None where it has not what is read here."""
    try:
        document = dict(json.loads(value))
        datetime.fromisoformat(document["at"])
        whole = (
            isinstance(document["check"]["status"], str)
            and isinstance(document["environment"], str)
            and all("state" in task for task in document["tasks"].values())
            and {"version", "state"} <= document.keys()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return document if whole else None
