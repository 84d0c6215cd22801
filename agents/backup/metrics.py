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
    if state is not None:
        for name, text, written in (
            ("last_success", "The moment whose data the newest good backup has.", state.good_at),
            ("verified", "When it was found good.", state.verified_at),
            (
                "drilled",
                "When a backup was restored and compared last, and was right.",
                state.drilled_at if state.drill_good else "",
            ),
        ):
            yield _gauge(f"{name}_timestamp_seconds", text, database, _seconds(written))
        yield _gauge("size_bytes", "Bytes of the newest backup as stored.", database, stored_bytes)
        yield _gauge("backups", "How many backups there are.", database, state.count)
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


def _gauge(name: str, text: str, database: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"flowrex_backup_{name}", text, labels=["database"])
    family.add_metric([database], value)
    return family


def _seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp() if written else 0.0
