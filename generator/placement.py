"""Why Nomad can't place a task group, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_AMOUNTS = {"cpu": ("CPU", "MHz"), "memory": ("MemoryMB", "MB"), "disk": ("DiskMB", "MB")}


def explain(failures: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Turn Nomad's metrics of failed placements into sentences.

    Args:
        failures: `FailedTGAllocs` of a plan or an evaluation: group to metric.

    Returns:
        One sentence a reason, groups in alphabetical order.
    """
    return tuple(
        f"group {group}: {reason}"
        for group, metric in sorted(failures.items())
        for reason in _reasons(metric)
    )


def _reasons(metric: Mapping[str, Any]) -> list[str]:
    more = metric.get("CoalescedFailures") or 0
    evaluated = metric.get("NodesEvaluated") or 0
    in_pool = metric.get("NodesInPool") or evaluated
    reasons = [
        f"no node is ready in datacenter {datacenter}"
        for datacenter, nodes in sorted((metric.get("NodesAvailable") or {}).items())
        if not nodes
    ]
    if not evaluated and not reasons:
        pool = metric.get("NodePool") or "default"
        reasons.append(f"no ready node is in node pool {pool}")
    reasons += [
        _constraint(text, nodes, in_pool)
        for text, nodes in sorted((metric.get("ConstraintFiltered") or {}).items())
    ]
    reasons += [
        f"node class {name} is excluded ({_of(nodes, in_pool)})"
        for name, nodes in sorted((metric.get("ClassFiltered") or {}).items())
        if name and not metric.get("ConstraintFiltered")
    ]
    reasons += [
        _exhausted(dimension, nodes, in_pool, metric.get("ResourcesExhausted") or {})
        for dimension, nodes in sorted((metric.get("DimensionExhausted") or {}).items())
    ]
    reasons += [f"quota {name} is used up" for name in metric.get("QuotaExhausted") or ()]
    if not reasons:
        reasons.append("Nomad gives no reason")
    if more:
        reasons[-1] += f"; {more} more of its allocations for the same reason"
    return reasons


def _constraint(text: str, nodes: int, in_pool: int) -> str:
    if text.startswith("missing drivers"):
        return f"the task driver is missing or unhealthy on {_of(nodes, in_pool)}"
    if text in {"distinct_hosts", "distinct_property"} or text.startswith("distinct_"):
        return f"{text} leaves {_of(nodes, in_pool)} out: each already runs one"
    return f"the constraint `{text}` excludes {_of(nodes, in_pool)}"


def _exhausted(
    dimension: str, nodes: int, in_pool: int, tasks: Mapping[str, Mapping[str, Any]]
) -> str:
    if dimension.startswith("network: reserved port collision"):
        port = dimension.removeprefix("network: reserved port collision ").strip()
        return f"the static port {port} is taken on {_of(nodes, in_pool)}"
    field, unit = _AMOUNTS.get(dimension, ("", ""))
    wanted = sum(task.get(field) or 0 for task in tasks.values())
    asks = f"; the group asks for {wanted} {unit}" if wanted else ""
    return f"not enough {dimension} on {_of(nodes, in_pool)}{asks}"


def _of(nodes: int, in_pool: int) -> str:
    plural = "" if max(nodes, in_pool) == 1 else "s"
    return f"{nodes} of {max(nodes, in_pool)} node{plural}"
