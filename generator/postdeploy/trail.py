"""Check `trail`: each node's agent ships the audit log, and is not behind."""

from __future__ import annotations

from flowrex.duration import ago, seconds
from generator import agents
from generator.checks.model import Finding, Ground, failed, passed


def look(ground: Ground) -> Finding:
    """Read what the agents of the nodes that run allocations say of themselves."""
    nodes = [one.name for one in ground.nomad.nodes.list() if one.status == "ready"]
    found = agents.read(ground.consul, ground.environment.name, nodes, ground.now)
    most_s = seconds(ground.environment.validation.trail_max_lag)
    wrong: list[str] = []
    seen: list[str] = []
    for one in found:
        if one.status == agents.MISSING:
            wrong.append(f"{one.node}: no agent")
            continue
        sinks = _sinks(one)
        if not sinks:
            wrong.append(f"{one.node}: its agent ships no audit log")
        for name, behind_s in sinks.items():
            line = f"{one.node}: {name} is {ago(behind_s)} behind"
            (wrong if behind_s > most_s else seen).append(line)
    if wrong:
        return failed(
            "The audit log is not shipped",
            *wrong,
            hint=f"flowrexctl agents {ground.environment.name}",
        )
    return passed(f"{len(found)} agents ship the audit log", *seen)


def _sinks(one: agents.NodeAgent) -> dict[str, float]:
    """Return how many seconds each sink is behind."""
    tasks = (one.document or {}).get("tasks", {})
    return {
        name: float((sink.get("lag") or {}).get("seconds") or 0)
        for name, sink in (tasks.get("audit", {}).get("sinks") or {}).items()
    }
