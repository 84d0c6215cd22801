"""The numbers of a canary and of the stable version, from Prometheus."""

from __future__ import annotations

import math
from collections.abc import Mapping

from generator.analysis.judge import Sample
from generator.prometheus import Prometheus

_REQUESTS = "http_requests_total"
_DURATION = "http_request_duration_seconds_bucket"
_MOST_SERIES = 5


def sample(prometheus: Prometheus, job: str, *, canary: bool, window_s: float) -> Sample:
    """Return what was seen of a job's canaries, or of its other instances.

    Args:
        prometheus: who has seen it.
        job: the job.
        canary: which of the two.
        window_s: seconds up to now that count.
    """
    chosen = f'job="{job}", canary="{str(canary).lower()}"'
    window = f"[{max(1, round(window_s))}s]"
    requests = prometheus.number(f"sum(increase({_REQUESTS}{{{chosen}}}{window}))")
    errors = prometheus.number(f'sum(increase({_REQUESTS}{{{chosen}, status=~"5.."}}{window}))')
    p95_s = prometheus.number(
        f"histogram_quantile(0.95, sum by (le) (rate({_DURATION}{{{chosen}}}{window})))"
    )
    known = p95_s is not None and math.isfinite(p95_s)
    return Sample(requests or 0.0, errors or 0.0, p95_s if known else None)


def against(prometheus: Prometheus, queries: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what each query of the environment's own gives, a text a series.

    Args:
        prometheus: who is asked.
        queries: PromQL by name; like an alert's, it gives something where something is wrong.
    """
    found: dict[str, list[str]] = {}
    for name, expression in queries.items():
        series = prometheus.query(expression)[:_MOST_SERIES]
        found[name] = [
            f"{', '.join(f'{k}={v}' for k, v in sorted(one.labels.items()))} {one.value:g}".strip()
            for one in series
        ]
    return found
