"""Health is told within a bounded time, whatever the dependencies do."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.app.conftest import Place
from tests.live.app.process import running
from tests.live.app.servers import Redis, free_port, wait_until


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def test_all_dependencies_work(place: Place, tmp_path: Path) -> None:
    with running(place.environ, tmp_path) as application:
        document = application.get("/health/ready").document
        assert document["status"] == "ready"
        for check in document["checks"].values():
            assert check["ok"] is True
            assert check["error"] is None
            assert 0 < check["time_ms"] < 1000
        assert set(document["checks"]) == {"database", "redis"}


@pytest.mark.parametrize(
    ("variable", "name"), [("FLOWREX_DATABASE_PORT", "database"), ("FLOWREX_REDIS_PORT", "redis")]
)
def test_a_dependency_that_hangs_is_reported_in_time(
    place: Place, tmp_path: Path, silent: int, variable: str, name: str
) -> None:
    environ = {**place.environ, variable: str(silent)}
    with running(environ, tmp_path, ready=False) as application:
        for _ in range(3):
            started = time.monotonic()
            answer = application.get("/health/ready")
            assert time.monotonic() - started < 2
            assert answer.status == 503
            assert answer.document["checks"][name]["ok"] is False
        assert application.get("/health/live").status == 200


def test_what_is_wrong_is_said_without_the_login(place: Place, tmp_path: Path) -> None:
    place.hand_over({"username": "v_unknown_user", "password": "some-password"})
    with running(place.environ, tmp_path, ready=False) as application:
        body = application.get("/health/ready").body.decode()
        assert "refuses the login" in body
        assert "v_unknown_user" not in body
        assert "some-password" not in body


def test_reads_go_on_without_redis(place: Place, tmp_path: Path, cache: Redis) -> None:
    with running(place.environ, tmp_path) as application:
        cache.stop()
        try:
            wait_until(lambda: not application.is_ready(), "it is not ready")
            answer = application.get("/api/v1/instruments")
            assert answer.status == 200
            assert answer.headers["x-cache"] == "unavailable"
            assert {"EUR_USD", "XAU_USD"} <= {
                one["symbol"] for one in answer.document["instruments"]
            }
        finally:
            cache.start()
        wait_until(application.is_ready, "it is ready again")
        wait_until(
            lambda: application.get("/api/v1/instruments").headers["x-cache"] == "hit",
            "the cache is used again",
        )


def test_a_restarted_database_is_taken_up_again(place: Place, tmp_path: Path) -> None:
    with running(place.environ, tmp_path) as application:
        place.database.stop()
        try:
            wait_until(lambda: not application.is_ready(), "it is not ready")
            assert application.get("/api/v1/instruments/EUR_USD").status == 503
        finally:
            place.database.start()
        wait_until(application.is_ready, "it is ready again")


def test_a_wrong_setting_is_one_sentence_and_status_3(place: Place, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    from tests.live.app.process import ROOT

    environ = {**place.environ, "FLOWREX_WORKERS": "many", "PATH": os.environ["PATH"]}
    environ["FLOWREX_LISTEN"] = f"127.0.0.1:{free_port()}"
    done = subprocess.run(
        [sys.executable, "-m", "app.server"], env=environ, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "FLOWREX_WORKERS is 'many'; expected a whole number from 1 to 64" in done.stderr
    assert "Traceback" not in done.stderr
