"""Stop `monitoring`: Prometheus sees everything that runs, and somebody would be told."""

from __future__ import annotations

from generator import prometheus
from generator.checks.model import Finding, Ground, failed, passed


def look(ground: Ground) -> Finding:
    """Ask Prometheus for its targets, its rules and its alertmanagers."""
    hint = f"flowrexctl status {ground.environment.name}; docs/monitoring.md"
    asked = prometheus.find(ground.consul, ground.fetch)
    targets = asked.targets()
    wrong = [
        f"{one['labels'].get('job')} at {one['labels'].get('instance')}: "
        f"{one.get('lastError') or one['health']}"
        for one in targets
        if one["health"] != "up"
    ]
    rules, receivers = asked.rules(), asked.alertmanagers()
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
        f"{receivers} Alertmanager is told",
        asked.address,
    )
