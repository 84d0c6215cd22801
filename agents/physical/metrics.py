"""When the last good physical backup and the last good verification were, as metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from agents.physical.info import Repository


def families(repository: Repository | None, verified_at: datetime | None) -> Iterator[Any]:
    """Yield the metrics; what is not known is left out.

    Args:
        repository: what the last look found.
        verified_at: when every byte was last read and found right.
    """
    from prometheus_client.core import GaugeMetricFamily

    done = GaugeMetricFamily(
        "flowrex_physical_backup_last_success_timestamp_seconds",
        "When the newest backup of a type ended.",
        labels=["type"],
    )
    for kind in ("full", "diff"):
        good = (
            [b for b in repository.backups if b.kind == kind and not b.error] if repository else []
        )
        if good:
            done.add_metric([kind], good[-1].stopped.timestamp())
    yield done
    yield GaugeMetricFamily(
        "flowrex_physical_verified_timestamp_seconds",
        "When every byte of the repository was last read and found right.",
        value=None if verified_at is None else verified_at.timestamp(),
    )
