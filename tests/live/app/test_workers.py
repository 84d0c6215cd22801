"""Metrics and logs with several worker processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.live.app.conftest import Place
from tests.live.app.process import Application, running
from tests.live.app.servers import wait_until
from tests.live.app.slow_app import CODE


def test_every_worker_answers_for_all_of_them(place: Place, tmp_path: Path) -> None:
    with running(place.environ, tmp_path) as application:
        _use_both_workers(application)
        before = _answered(application)
        for _ in range(50):
            assert application.get("/api/v1/instruments/EUR_USD").status == 200
        for _ in range(5):
            assert _answered(application) == before + 50
        assert application.metric("flowrex_build_info", version="9.9.9", environment="test") == 1
        assert application.metric("database_pool_max_connections") == 20
        assert application.metric("process_resident_memory_bytes") > 50e6


def test_counts_survive_a_killed_worker_and_its_gauges_go(place: Place, tmp_path: Path) -> None:
    with running(place.environ, tmp_path) as application:
        _use_both_workers(application)
        before, victim = _answered(application), application.workers()[0]
        cpu = application.metric("process_cpu_seconds_total")
        os.kill(victim, signal.SIGKILL)
        wait_until(
            lambda: victim not in application.workers() and len(application.workers()) == 2,
            "another worker took its place",
        )
        wait_until(
            lambda: application.metric("database_pool_max_connections") == 20,
            "two workers' pools are counted, not three",
        )
        assert _answered(application) == before
        assert application.metric("http_requests_in_progress") == 1
        assert application.metric("process_cpu_seconds_total") >= cpu


def test_an_earlier_servers_values_are_forgotten(place: Place, tmp_path: Path) -> None:
    for _ in range(2):
        with running(place.environ, tmp_path) as application:
            assert _answered(application) == 0
            application.get("/api/v1/instruments/EUR_USD")
            assert _answered(application) == 1


def test_routes_are_counted_by_template_and_unknown_paths_together(
    place: Place, tmp_path: Path
) -> None:
    with running(place.environ, tmp_path) as application:
        for symbol in ("EUR_USD", "GBP_USD", "NO_SUCH"):
            application.get(f"/api/v1/instruments/{symbol}")
        for number in range(5):
            application.get(f"/nothing/{number}")
        route = "/api/v1/instruments/{symbol}"
        assert application.metric("http_requests_total", route=route, status="200") == 2
        assert application.metric("http_requests_total", route=route, status="404") == 1
        assert application.metric("http_requests_total", route="unmatched", status="404") == 5
        assert application.metric("http_request_duration_seconds_count", route=route) == 3


def test_log_lines_are_json_with_the_requests_id(place: Place, tmp_path: Path) -> None:
    with running(place.environ, tmp_path, code=CODE) as application:
        answer = application.get("/api/v1/version?token=hidden", X_Request_ID="order-4711-abc")
        assert answer.headers["x-request-id"] == "order-4711-abc"
        strange = application.get("/api/v1/version", X_Request_ID='"; drop').headers["x-request-id"]
        assert strange != '"; drop'
        failed = application.get("/bug")
        assert failed.status == 500
        assert failed.document["request_id"] == failed.headers["x-request-id"]
        application.signal()
        assert application.wait() == 0
        lines = application.lines()
    [access] = [line for line in lines if line.get("request_id") == "order-4711-abc"]
    assert access["path"] == "/api/v1/version"
    assert access["status"] == 200
    assert access["release"] == "9.9.9"
    assert "hidden" not in application.log.read_text()
    assert any(line["logger"] == "gunicorn.error" for line in lines)
    [trace] = [line for line in lines if "a bug" in line.get("exception", "")]
    assert trace["request_id"] == failed.document["request_id"]


def _use_both_workers(application: Application) -> None:
    seen = set()

    def both() -> bool:
        seen.add(application.get("/api/v1/version").document["pid"])
        return len(seen) == 2

    wait_until(both, "both workers answer")


def _answered(application: Application) -> float:
    return application.metric(
        "http_requests_total", route="/api/v1/instruments/{symbol}", status="200"
    )
