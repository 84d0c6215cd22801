"""The numbers of a canary and of the stable version, from Prometheus."""

from __future__ import annotations

import math
from collections.abc import Mapping

from generator.analysis.judge import Sample
from generator.prometheus import Prometheus

REQUESTS = "http_requests_total"
FAILED = 'status=~"5.."'
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
    return Sample(
        increase(prometheus, REQUESTS, chosen, window_s),
        increase(prometheus, REQUESTS, f"{chosen}, {FAILED}", window_s),
        quantile(prometheus, 0.95, chosen, window_s),
    )


def increase(prometheus: Prometheus, name: str, chosen: str, window_s: float) -> float:
    """Return by how much counters have grown, all together.

    Args:
        prometheus: who has seen it.
        name: of the counters.
        chosen: which of them, by their labels.
        window_s: seconds up to now that count.
    """
    return prometheus.number(f"sum(increase({name}{{{chosen}}}{_window(window_s)}))") or 0.0


def quantile(prometheus: Prometheus, share: float, chosen: str, window_s: float) -> float | None:
    """Return the seconds within which a share of the requests was answered; None if too few were.

    Args:
        prometheus: who has seen it.
        share: from 0 to 1.
        chosen: which instances, by their labels.
        window_s: seconds up to now that count.
    """
    found = prometheus.number(
        f"histogram_quantile({share}, sum by (le) "
        f"(rate({_DURATION}{{{chosen}}}{_window(window_s)})))"
    )
    return found if found is not None and math.isfinite(found) else None


def _window(window_s: float) -> str:
    return f"[{max(1, round(window_s))}s]"


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
