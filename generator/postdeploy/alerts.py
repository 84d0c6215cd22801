"""Check `alerts`: nothing is wrong by the rules, and an alert would arrive."""

from __future__ import annotations

from generator import prometheus
from generator.checks.model import Finding, Ground, failed, passed

SERVICE = "alertmanager"
# Fires always (consul-templates/alerts.yml), so that its way can be looked at.
ALWAYS = "AlertsArrive"


def look(ground: Ground) -> Finding:
    """Ask Prometheus what fires, and each Alertmanager whether it has heard of it."""
    firing = prometheus.find(ground.consul, ground.fetch).query('ALERTS{alertstate="firing"}')
    names = sorted({one.labels.get("alertname", "?") for one in firing})
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
