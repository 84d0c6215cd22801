"""One look at a release that is in service, through Prometheus, Nomad and the checks."""

from __future__ import annotations

import math

from generator import prometheus
from generator.checks import backups, certificates
from generator.checks.look import look_at
from generator.checks.model import Check, Ground
from generator.postdeploy.alerts import ALWAYS
from generator.postdeploy.first_day import Reading
from generator.prometheus import Prometheus

_CHOSEN = 'job="backend"'
_DURATION = "http_request_duration_seconds_bucket"
_CHECKS = (
    Check("backups", "backups complete", backups.look),
    Check("certificates", "certificates are valid for long", certificates.look),
)
_SHORTEST_S = 60


def read(ground: Ground, window_s: float) -> Reading:
    """Look.

    Args:
        ground: what is looked at.
        window_s: seconds up to now that count.

    Raises:
        ServerUnreachable: Prometheus or Nomad does not answer.
    """
    asked = prometheus.find(ground.consul, ground.fetch)
    window = f"[{max(_SHORTEST_S, round(window_s))}s]"

    def increase(name: str, more: str = "") -> float:
        chosen = _CHOSEN + (f", {more}" if more else "")
        return asked.number(f"sum(increase({name}{{{chosen}}}{window}))") or 0.0

    requests = increase("http_requests_total")
    errors = increase("http_requests_total", 'status=~"5.."')
    p50, p95, p99 = (_quantile(asked, share, window) for share in (0.5, 0.95, 0.99))
    pool = asked.number(
        f"100 * max(sum by (instance) (database_connections{{{_CHOSEN}}})"
        f" / sum by (instance) (database_pool_max_connections{{{_CHOSEN}}}))"
    )
    held = asked.query('sum by (alloc_id) (nomad_client_allocs_memory_rss{task="backend"})')
    firing = asked.query('ALERTS{alertstate="firing"}')
    checks = look_at(_CHECKS, ground, off=_off(ground))
    return Reading(
        at=ground.now,
        requests=requests,
        error_percent=100 * errors / requests if requests else 0.0,
        p50_s=p50,
        p95_s=p95,
        p99_s=p99,
        memory={one.labels.get("alloc_id", ""): one.value for one in held},
        pool_percent=pool or 0.0,
        trades=increase("trades_executed_total"),
        refused=increase("trades_refused_total", 'place="broker"'),
        restarts=_restarts(ground),
        alerts=tuple(sorted({str(one.labels.get("alertname")) for one in firing} - {ALWAYS})),
        problems={
            one.check.name: one.text if one.stops else "" for one in checks if one.verdict != "off"
        },
    )


def _quantile(asked: Prometheus, share: float, window: str) -> float | None:
    found = asked.number(
        f"histogram_quantile({share}, sum by (le) (rate({_DURATION}{{{_CHOSEN}}}{window})))"
    )
    return found if found is not None and math.isfinite(found) else None


def _restarts(ground: Ground) -> dict[str, int]:
    return {
        job.name: sum(
            task.restarts
            for allocation in ground.nomad.allocations.of_job(job.name)
            if allocation.live
            for task in allocation.tasks.values()
        )
        for job in ground.jobs
    }


def _off(ground: Ground) -> list[str]:
    """What the checklist does not ask for is not asked for here."""
    checks = ground.environment.validation.checks
    return [one.name for one in _CHECKS if getattr(checks, one.name) == "off"]
