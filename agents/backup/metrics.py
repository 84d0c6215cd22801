"""The Prometheus metrics of backups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from flowrex.backup_state import BackupState


def families(
    database: str,
    state: BackupState | None,
    stored_bytes: int,
    jobs: Mapping[str, tuple[datetime | None, float, int]],
) -> Iterator[Metric]:
    """Yield the metric families.

    Args:
        database: the label.
        state: how good the backups are; None where it is not known, and then it is not told.
        stored_bytes: of the newest one.
        jobs: by name: when it was done last, how many seconds it took, how often it failed.
    """
    good = _gauge(
        "flowrex_backup_last_success_timestamp_seconds",
        "The moment whose data the newest good backup has; 0: there is none.",
    )
    verified = _gauge(
        "flowrex_backup_verified_timestamp_seconds", "When it was found good; 0: there is none."
    )
    drilled = _gauge(
        "flowrex_backup_drilled_timestamp_seconds",
        "When a backup was restored and compared last; 0: never, or it was not right.",
    )
    size = _gauge("flowrex_backup_size_bytes", "Bytes of the newest backup as stored.")
    count = _gauge("flowrex_backup_backups", "How many backups there are.")
    if state is not None:
        good.add_metric([database], _seconds(state.good_at))
        verified.add_metric([database], _seconds(state.verified_at))
        drilled.add_metric([database], _seconds(state.drilled_at if state.drill_good else ""))
        size.add_metric([database], stored_bytes)
        count.add_metric([database], state.count)
    yield from (good, verified, drilled, size, count)
    failures = CounterMetricFamily(
        "flowrex_backup_failures",
        "Backups, drills and prunings that failed.",
        labels=["database", "job"],
    )
    duration = GaugeMetricFamily(
        "flowrex_backup_duration_seconds", "How long the last one took.", labels=["database", "job"]
    )
    for job, (last, took_s, failed) in jobs.items():
        failures.add_metric([database, job], failed)
        if last is not None and took_s:
            duration.add_metric([database, job], took_s)
    yield failures
    yield duration


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["database"])


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp() if written else 0.0
