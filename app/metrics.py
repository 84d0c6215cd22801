"""The application's metrics, right with one process or with several."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from app.process_metrics import ServerProcesses

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Every metric of the application; one object per worker.

    With PROMETHEUS_MULTIPROC_DIR set, the values live in files that all workers share, and any
    worker answers for all of them.
    """

    def __init__(self, release: str, environment: str) -> None:
        """Declare the metrics.

        Args:
            release: the version, for `flowrex_build_info`.
            environment: the environment's name, likewise.
        """
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "http_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            ["method", "route"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "http_requests_in_progress",
            "Requests being answered now.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.database_connections = Gauge(
            "database_connections",
            "Connections to PostgreSQL that are open now, by what they do.",
            ["state"],
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.pool_size = Gauge(
            "database_pool_max_connections",
            "The most connections to PostgreSQL that may be open.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.pool_waiting = Gauge(
            "database_pool_waiting_requests",
            "Requests that wait for a connection to PostgreSQL now.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.rotations = Counter(
            "database_credentials_rotations_total",
            "Changes of the database credentials, by result.",
            ["result"],
            registry=self.registry,
        )
        self.cache = Counter(
            "cache_requests_total",
            "Reads through the cache, by result: hit, miss or unavailable.",
            ["result"],
            registry=self.registry,
        )
        self.draining = Gauge(
            "flowrex_draining_workers",
            "Workers on their way out.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self.trades = Counter(
            "trades_executed_total",
            "Orders filled, by side.",
            ["side"],
            registry=self.registry,
        )
        self.refused = Counter(
            "trades_refused_total",
            "Orders refused, by place (api, order_path, database, broker), emergency level and "
            "rule.",
            ["place", "level", "rule"],
            registry=self.registry,
        )
        self.audit_records = Counter(
            "audit_records_total",
            "Records for the audit trail, by whether they reached the disk.",
            ["result"],
            registry=self.registry,
        )
        self.emergency_level = Gauge(
            "flowrex_emergency_level",
            "What is stopped: 0 nothing, 1 halt, 2 cancel, 3 flatten, 4 stop; the highest of all "
            "workers.",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self.emergency_unknown = Gauge(
            "flowrex_emergency_unknown_seconds",
            "Time since the emergency switch could last be read; 0 while it can.",
            multiprocess_mode="livemax",
            registry=self.registry,
        )
        self._build = Gauge(
            "flowrex_build_info",
            "Always 1; the labels tell what runs.",
            ["version", "environment"],
            multiprocess_mode="max",
            registry=self.registry,
        )
        self._build.labels(version=release, environment=environment).set(1)
        # A counter that does not exist yet can't be alerted on: its first increase is unseen.
        for result in ("success", "failure"):
            self.rotations.labels(result=result)
            self.audit_records.labels(result=result)
        for side in ("buy", "sell"):
            self.trades.labels(side=side)

    def exposition(self) -> bytes:
        """Return all workers' metrics in Prometheus's text format."""
        registry = self.registry
        if os.environ.get(MULTIPROCESS_VARIABLE):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            registry.register(ServerProcesses(server_pid=os.getppid()))
        return generate_latest(registry)


def prepare_folder(folder: Path) -> None:
    """Make the shared folder and empty it of an earlier server's values.

    Args:
        folder: the folder; only this server may use it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.db"):
        stale.unlink(missing_ok=True)


def forget_worker(pid: int) -> None:
    """Take a dead worker's live gauges out of the sums; its counters stay."""
    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
