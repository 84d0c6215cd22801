"""Stop `monitoring`: Prometheus sees everything that runs, and somebody would be told."""

from __future__ import annotations

from generator import prometheus
from generator.checks.model import Finding, Ground, failed, passed

# The jobs that have metrics, to the label `job` of their targets; prometheus-targets.yml.ctmpl. The
# agent's are missing: it listens on its node's loopback, where Prometheus reaches few of them.
LABELS = {
    "backend": "backend",
    "worker": "worker",
    "frontend": "frontend",
    "node-exporter": "node",
    "postgres-exporter": "postgres",
    "redis-exporter": "redis",
    "nginx-exporter": "nginx",
    "alertmanager": "alertmanager",
    "prometheus": "prometheus",
}


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
    seen = {one["labels"].get("job") for one in targets if one["health"] == "up"}
    wrong += [
        f"{name} is deployed, and Prometheus sees no target {label!r} that is up"
        for name, label in LABELS.items()
        if label not in seen and _deployed(ground, name)
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


def _deployed(ground: Ground, name: str) -> bool:
    current = ground.nomad.jobs.find(name)
    return current is not None and not current.stop and current.count > 0
