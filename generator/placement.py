"""Why Nomad can't place a task group, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})
# What Nomad calls it, to the field of a task's resources that asks for it, and its unit.
_AMOUNTS = {
    "cpu": ("CPU", "MHz"),
    "cores": ("Cores", "cores"),
    "memory": ("MemoryMB", "MiB"),
    "disk": ("DiskMB", "MiB"),
}


def explain(
    failures: Mapping[str, Mapping[str, Any]], spec: Mapping[str, Any] = _NOTHING
) -> tuple[str, ...]:
    """Turn Nomad's metrics of failed placements into sentences.

    Args:
        failures: `FailedTGAllocs` of a plan or an evaluation: group to metric.
        spec: the job, for the names and figures that Nomad leaves out; empty where it is not known.

    Returns:
        One sentence a reason, groups in alphabetical order.
    """
    datacenters = [name for name in spec.get("Datacenters") or () if name != "*"]
    groups = {one["Name"]: one for one in spec.get("TaskGroups") or ()}
    return tuple(
        f"group {name}: {reason}"
        for name, metric in sorted(failures.items())
        for reason in _reasons(metric, datacenters, groups.get(name, {}))
    )


def _reasons(
    metric: Mapping[str, Any], datacenters: list[str], group: Mapping[str, Any]
) -> list[str]:
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
        # Nomad looks at the nodes of these alone, and tells of no others.
        there = f" and in datacenter {' or '.join(datacenters)}" if datacenters else ""
        reasons.append(f"no ready node is in node pool {pool}{there}")
    reasons += [
        _constraint(text, _of(nodes, in_pool), group)
        for text, nodes in sorted((metric.get("ConstraintFiltered") or {}).items())
    ]
    reasons += [
        f"node class {name} is excluded ({_of(nodes, in_pool)})"
        for name, nodes in sorted((metric.get("ClassFiltered") or {}).items())
        if name and not metric.get("ConstraintFiltered")
    ]
    reasons += [
        _exhausted(dimension, _of(nodes, in_pool), metric.get("ResourcesExhausted") or {}, group)
        for dimension, nodes in sorted((metric.get("DimensionExhausted") or {}).items())
    ]
    reasons += [f"quota {name} is used up" for name in metric.get("QuotaExhausted") or ()]
    if not reasons:
        reasons.append("Nomad gives no reason")
    if more:
        reasons[-1] += f"; {more} more of its allocations for the same reason"
    return reasons


def _constraint(text: str, on: str, group: Mapping[str, Any]) -> str:
    if text.startswith("missing drivers"):
        drivers = {task["Driver"] for task in group.get("Tasks") or ()}
        return f"the task driver{_named(drivers)} is missing or unhealthy on {on}"
    if text.startswith("missing compatible host volumes"):
        volumes = {one["Source"] for one in (group.get("Volumes") or {}).values()}
        return f"the host volume{_named(volumes)} is missing on {on}"
    if text.startswith("missing devices"):
        devices = {
            one["Name"]
            for task in group.get("Tasks") or ()
            for one in (task.get("Resources") or {}).get("Devices") or ()
        }
        return f"the device{_named(devices)} is missing on {on}"
    if text.startswith("distinct_"):
        return f"{text} leaves {on} out: each already runs one"
    return f"the constraint `{text}` excludes {on}"


def _named(names: set[str]) -> str:
    return f" {' or '.join(sorted(names))}" if names else ""


def _exhausted(
    dimension: str, on: str, tasks: Mapping[str, Mapping[str, Any]], group: Mapping[str, Any]
) -> str:
    if dimension.startswith("network: reserved port collision"):
        port = dimension.removeprefix("network: reserved port collision ").strip()
        return f"the static port {port} is taken on {on}"
    field, unit = _AMOUNTS.get(dimension, ("", ""))
    wanted = sum(task.get(field) or 0 for task in tasks.values())
    if not wanted and dimension == "disk":
        wanted = (group.get("EphemeralDisk") or {}).get("SizeMB") or 0
    if not wanted:
        asked = (task.get("Resources") or {} for task in group.get("Tasks") or ())
        wanted = sum(one.get(field) or 0 for one in asked)
    asks = f"; the group asks for {wanted} {unit}" if wanted else ""
    return f"not enough {dimension} on {on}{asks}"


def _of(nodes: int, in_pool: int) -> str:
    plural = "" if max(nodes, in_pool) == 1 else "s"
    return f"{nodes} of {max(nodes, in_pool)} node{plural}"
