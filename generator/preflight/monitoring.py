"""Stop `monitoring`: Prometheus sees everything that runs, and somebody would be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowrex.errors import ServerRefused
from generator.preflight.model import Finding, Ground, failed, passed

PROMETHEUS, ALERTMANAGER = "prometheus", "alertmanager"


def look(ground: Ground) -> Finding:
    """Ask Prometheus for its targets, its rules and its alertmanagers."""
    hint = f"flowrexctl status {ground.environment.name}; docs/monitoring.md"
    found = ground.consul.services(PROMETHEUS, passing_only=True)
    addresses = [f"{one.address}:{one.port}" for one in found]
    if not addresses:
        return failed("No healthy Prometheus is registered in Consul", hint=hint)
    api = f"http://{addresses[0]}/api/v1"
    targets: Sequence[Mapping[str, Any]] = _data(ground, f"{api}/targets?state=active")[
        "activeTargets"
    ]
    down = [
        f"{one['labels'].get('job')} at {one['labels'].get('instance')}: "
        f"{one.get('lastError') or one['health']}"
        for one in targets
        if one["health"] != "up"
    ]
    rules = sum(len(group["rules"]) for group in _data(ground, f"{api}/rules")["groups"])
    receivers = _data(ground, f"{api}/alertmanagers")["activeAlertmanagers"]
    wrong = [*down]
    if not targets:
        wrong.append("Prometheus has no target")
    if not rules:
        wrong.append("Prometheus has no alert rule")
    if not receivers:
        wrong.append("Prometheus knows no Alertmanager")
    if wrong:
        return failed("Monitoring is not whole", *wrong, hint=hint)
    return passed(
        f"{len(targets)} targets are up, {rules} rules are loaded, "
        f"{len(receivers)} Alertmanager is told",
        api,
    )


def _data(ground: Ground, url: str) -> Any:
    document = ground.fetch(url)
    if not isinstance(document, dict) or document.get("status") != "success":
        raise ServerRefused(f"{url} answers what is no answer of Prometheus")
    return document["data"]
