"""Check `errors`: few requests have failed since the deployment began."""

from __future__ import annotations

from generator import prometheus
from generator.analysis.measure import sample
from generator.checks.model import Finding, Ground, failed, passed

_JOB = "backend"
_SHORTEST_S = 60.0


def look(ground: Ground) -> Finding:
    """Ask Prometheus for the requests to the backend."""
    asked = prometheus.find(ground.consul, ground.fetch)
    since_s = (ground.now - ground.since).total_seconds() if ground.since else _SHORTEST_S
    seen = sample(asked, _JOB, canary=False, window_s=max(since_s, _SHORTEST_S))
    if not seen.requests:
        # `traffic` has sent some: either nobody counts them, or they were not collected yet.
        return failed(
            "Prometheus has counted no request, so nothing is known of errors",
            hint=f"flowrexctl verify {ground.environment.name}, when it has; the check `metrics` "
            "says whether it reaches the backend.",
        )
    most = ground.environment.validation.max_error_percent
    line = f"{seen.errors:.0f} of {seen.requests:.0f} requests failed, {seen.error_percent:.2f} %"
    if seen.error_percent > most:
        return failed(
            f"More than {most:g} % of the requests failed",
            line,
            hint=f"flowrexctl logs {ground.environment.name} {_JOB}",
        )
    return passed(line[0].upper() + line[1:])
