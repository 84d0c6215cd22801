"""One look at a release that is in service, through Prometheus, Nomad and the checks."""

from __future__ import annotations

from generator import prometheus
from generator.analysis.measure import FAILED, REQUESTS, increase, quantile
from generator.checks import backups, certificates
from generator.checks.look import look_at
from generator.checks.model import Check, Ground
from generator.postdeploy.alerts import ALWAYS, firing
from generator.postdeploy.first_day import Reading

_CHOSEN = 'job="backend"'
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
    window_s = max(_SHORTEST_S, window_s)
    requests = increase(asked, REQUESTS, _CHOSEN, window_s)
    errors = increase(asked, REQUESTS, f"{_CHOSEN}, {FAILED}", window_s)
    broker = f'{_CHOSEN}, place="broker"'
    p50, p95, p99 = (quantile(asked, share, _CHOSEN, window_s) for share in (0.5, 0.95, 0.99))
    pool = asked.number(
        f"100 * max(sum by (instance) (database_connections{{{_CHOSEN}}})"
        f" / sum by (instance) (database_pool_max_connections{{{_CHOSEN}}}))"
    )
    held = asked.query('sum by (alloc_id) (nomad_client_allocs_memory_rss{task="backend"})')
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
        trades=increase(asked, "trades_executed_total", _CHOSEN, window_s),
        refused=increase(asked, "trades_refused_total", broker, window_s),
        restarts=_restarts(ground),
        alerts=tuple(name for name in firing(asked) if name != ALWAYS),
        problems={
            one.check.name: one.text if one.stops else "" for one in checks if one.verdict != "off"
        },
    )


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
