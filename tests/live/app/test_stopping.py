"""A stop drops nothing: not ready at once, then the last requests, then the end."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.live.app.conftest import Place
from tests.live.app.process import Answer, Application, Load, running
from tests.live.app.servers import wait_until
from tests.live.app.slow_app import CODE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_readiness_turns_false_while_everything_is_still_served(
    place: Place, tmp_path: Path, number: int
) -> None:
    with running(place.environ, tmp_path) as application:
        application.signal(number)
        wait_until(lambda: _readiness(application) == "draining", "readiness is false", 1)
        answer = application.get("/api/v1/version")
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert application.get("/health/live").status == 200
        assert application.wait() == 0


def test_clients_on_open_connections_lose_no_request(place: Place, tmp_path: Path) -> None:
    with running(place.environ, tmp_path) as application:
        with Load(application, clients=8) as load:
            wait_until(lambda: load.answered > 100, "the load runs")
            application.signal()
            assert application.wait() == 0
        assert load.failures == []
        assert load.answered > 200


def test_a_request_in_flight_is_finished_after_the_drain(place: Place, tmp_path: Path) -> None:
    environ = {**place.environ, "FLOWREX_DRAIN_SECONDS": "0.3"}
    with running(environ, tmp_path, code=CODE) as application:
        waiting = _Asking(application, "/slow?seconds=1.5")
        waiting.began()
        application.signal()
        assert application.wait() == 0
        assert waiting.answer().status == 200


def test_a_request_without_end_is_given_up_after_the_bound(place: Place, tmp_path: Path) -> None:
    environ = {
        **place.environ,
        "FLOWREX_DRAIN_SECONDS": "0.2",
        "FLOWREX_GRACEFUL_SECONDS": "1",
    }
    with running(environ, tmp_path, code=CODE) as application:
        waiting = _Asking(application, "/slow?seconds=60")
        waiting.began()
        started = time.monotonic()
        application.signal()
        assert application.wait() == 0
        assert time.monotonic() - started < 5


def test_one_worker_told_to_leave_is_replaced_and_nothing_is_lost(
    place: Place, tmp_path: Path
) -> None:
    with running(place.environ, tmp_path) as application, Load(application) as load:
        wait_until(lambda: load.answered > 100, "the load runs")
        before = application.workers()
        os.kill(before[0], signal.SIGTERM)
        wait_until(
            lambda: before[0] not in application.workers() and len(application.workers()) == 2,
            "another worker took its place",
        )
        answered = load.answered
        wait_until(lambda: load.answered > answered + 100, "the load goes on")
        assert load.failures == []


def test_workers_leave_when_their_master_is_killed(place: Place, tmp_path: Path) -> None:
    with running(place.environ, tmp_path) as application:
        workers = application.workers()
        application.process.kill()
        wait_until(lambda: not any(_runs(pid) for pid in workers), "no worker is left")


def _readiness(application: Application) -> str:
    answer = application.get("/health/ready")
    status: str = answer.document["status"]
    assert (answer.status == 200) == (status == "ready")
    return status


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


class _Asking:
    """One request in the background."""

    def __init__(self, application: Application, path: str) -> None:
        self._application = application
        self._answers: list[Answer] = []
        self._thread = threading.Thread(target=self._ask, args=(path,))
        self._thread.start()

    def began(self) -> None:
        """Return when the server works on it: it and the request for the metrics."""
        wait_until(
            lambda: self._application.metric("http_requests_in_progress") == 2,
            "the slow request is in progress",
        )

    def answer(self) -> Answer:
        self._thread.join(10)
        return self._answers[0]

    def _ask(self, path: str) -> None:
        try:
            self._answers.append(self._application.get(path, timeout_s=30))
        except OSError:
            return
