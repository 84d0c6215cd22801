"""The metrics of audit shipping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.audit.lane import Lane

_COUNTERS = {
    "segments": "Segments that the sink has acknowledged.",
    "lines": "Lines in them, the quarantined ones counted.",
    "quarantined": "Lines, or pieces of too long ones, that are kept in quarantine.",
    "bytes": "Bytes of the audit files in them.",
    "sent": "Bytes that were sent for that.",
    "conflicts": "Segments that were there already with other bytes than the file has.",
}
_NAMES = {"sent": "sent_bytes"}


def families(
    lanes: Sequence[Lane], files: int, truncated: int, *, saved: int, unsaved: int
) -> Iterator[Any]:
    """Yield the metric families.

    Args:
        lanes: one for each sink.
        files: how many files are open.
        truncated: how many files were cut off.
        saved: bytes that the copies of removed files take.
        unsaved: bytes of removed files that there is no room to save.
    """
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, text in _COUNTERS.items():
        counter = CounterMetricFamily(
            f"flowrex_audit_{_NAMES.get(name, name)}", text, labels=["sink"]
        )
        for lane in lanes:
            counter.add_metric([lane.name], getattr(lane.shipper.counts, name))
        yield counter
    failures = CounterMetricFamily(
        "flowrex_audit_failures", "Tries that did not come to an acknowledgement.", labels=["sink"]
    )
    lost = CounterMetricFamily(
        "flowrex_audit_lost_bytes",
        "Bytes that were cut off from a file, or removed with it, before they were shipped.",
        labels=["sink"],
    )
    behind = GaugeMetricFamily(
        "flowrex_audit_lag_bytes", "Bytes in the files that are not shipped.", labels=["sink"]
    )
    age = GaugeMetricFamily(
        "flowrex_audit_lag_seconds", "Age of the oldest of them.", labels=["sink"]
    )
    last = GaugeMetricFamily(
        "flowrex_audit_last_shipped_timestamp_seconds",
        "When something was shipped last; 0: not since the start.",
        labels=["sink"],
    )
    missing = GaugeMetricFamily(
        "flowrex_audit_missing_segment",
        "Number of the newest segment that the sink had acknowledged and has no more; 0: none.",
        labels=["sink"],
    )
    for lane in lanes:
        cursor = lane.shipper.cursor
        gone = cursor.missing if cursor else None
        missing.add_metric([lane.name], gone.number if gone else 0)
        failures.add_metric([lane.name], lane.failures)
        if lane.shipper.begun:  # what was lost before the start is known only then
            lost.add_metric([lane.name], lane.lost)
        behind.add_metric([lane.name], lane.lag.bytes)
        age.add_metric([lane.name], lane.lag.seconds)
        last.add_metric([lane.name], lane.shipped_at)
    yield from (failures, lost, missing, behind, age, last)
    yield GaugeMetricFamily(
        "flowrex_audit_saved_bytes",
        "Bytes of removed files that are kept in the agent's folder until they are shipped.",
        value=saved,
    )
    yield GaugeMetricFamily(
        "flowrex_audit_unsaved_bytes",
        "Bytes of removed files that can't be kept there: a stop or a kill would lose them.",
        value=unsaved,
    )
    yield GaugeMetricFamily("flowrex_audit_files", "Audit files that are open.", value=files)
    yield CounterMetricFamily(
        "flowrex_audit_truncated", "Files that were cut off while they were open.", value=truncated
    )
