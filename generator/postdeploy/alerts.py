"""Check `alerts`: nothing is wrong by the rules, and an alert would arrive."""

from __future__ import annotations

from generator import prometheus
from generator.checks.model import Finding, Ground, failed, passed
from generator.prometheus import Prometheus

SERVICE = "alertmanager"
# Fires always (consul-templates/alerts.yml), so that its way can be looked at.
ALWAYS = "AlertsArrive"


def firing(asked: Prometheus) -> list[str]:
    """Return the names of the alerts that fire, that one included."""
    found = asked.query('ALERTS{alertstate="firing"}')
    return sorted({str(one.labels.get("alertname", "?")) for one in found})


def look(ground: Ground) -> Finding:
    """Ask Prometheus what fires, and each Alertmanager whether it has heard of it."""
    names = firing(prometheus.find(ground.consul, ground.fetch))
    wrong = [f"{name} fires" for name in names if name != ALWAYS]
    if ALWAYS not in names:
        wrong.append(f"{ALWAYS}, which fires always, does not: the rules are not evaluated")
    managers = ground.consul.services(SERVICE, passing_only=True)
    if not managers:
        wrong.append("no healthy Alertmanager is registered in Consul")
    for one in managers:
        url = f"http://{one.address}:{one.port}/api/v2/alerts"
        known = {alert["labels"].get("alertname") for alert in ground.fetch(url)}
        if ALWAYS not in known:
            wrong.append(f"{ALWAYS} has not arrived at {one.address}:{one.port}")
    if wrong:
        return failed(
            "An alert fires, or would not arrive", *wrong, hint="docs/incident-response.md"
        )
    return passed(f"No alert fires, and {len(managers)} Alertmanager would tell of one")
