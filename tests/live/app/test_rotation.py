"""The database login changes while requests run."""

from __future__ import annotations

import time
from pathlib import Path

from tests.live.app.conftest import Place
from tests.live.app.process import Load, running
from tests.live.app.servers import wait_until


def test_a_new_lease_is_taken_over_without_a_failed_request(place: Place, tmp_path: Path) -> None:
    old, new = _current(place), place.lease()
    with running(place.environ, tmp_path) as application:
        with Load(application) as load:
            wait_until(lambda: load.answered > 200, "the load runs")
            place.hand_over(new)
            wait_until(
                lambda: place.database.connections(old) == 0,
                "the old login's connections are closed",
            )
            answered = load.answered
            wait_until(lambda: load.answered > answered + 200, "the load goes on")
        assert load.failures == []
        assert place.database.connections(new["username"]) > 0
        rotations = application.metric("database_credentials_rotations_total", result="success")
        assert rotations == 2  # one for each worker


def test_a_lease_revoked_under_load_is_replaced_without_a_failed_request(
    place: Place, tmp_path: Path
) -> None:
    old, new = _current(place), place.lease()
    with running(place.environ, tmp_path) as application, Load(application) as load:
        wait_until(lambda: load.answered > 100, "the load runs")
        # As Vault revokes, before the watch has seen the new file; and the connections end too.
        place.hand_over(new)
        place.database.run(f"REVOKE flowrex_app FROM {old}; DROP ROLE {old}")
        place.database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'flowrex-backend/9.9.9' AND pid % 2 = 0"
        )
        answered = load.answered
        wait_until(lambda: load.answered > answered + 200, "the load goes on")
    assert load.failures == []


def test_a_request_that_runs_over_the_change_finishes_on_the_old_lease(
    place: Place, tmp_path: Path
) -> None:
    old, new = _current(place), place.lease()
    environ = {**place.environ, "FLOWREX_WORKERS": "1"}
    with running(environ, tmp_path) as application:
        with place.database.locked("trading.instruments"), Load(application, clients=1) as load:
            wait_until(
                lambda: place.database.waiting(old) == 1, "the request waits in the database"
            )
            place.hand_over(new)
            wait_until(
                lambda: place.database.connections(new["username"]) > 0, "the new lease is in use"
            )
            assert place.database.connections(old) == 1
            place.database.unlock()
            wait_until(lambda: load.answered > 0, "the request is answered")
        assert load.failures == []
        wait_until(lambda: place.database.connections(old) == 0, "the old login is gone")


def test_a_file_that_is_no_lease_keeps_the_old_one(place: Place, tmp_path: Path) -> None:
    with running({**place.environ, "FLOWREX_WORKERS": "1"}, tmp_path) as application:
        place.credentials.write_text("half a fi")
        wait_until(
            lambda: (
                application.metric("database_credentials_rotations_total", result="failure") > 0
            ),
            "the failure is counted",
        )
        assert application.is_ready()
        place.hand_over({"username": "nobody", "password": "unknown-password"})
        failures = application.metric("database_credentials_rotations_total", result="failure")
        wait_until(
            lambda: (
                application.metric("database_credentials_rotations_total", result="failure")
                > failures
            ),
            "the refused login is counted",
        )
        assert application.is_ready()
        new = place.lease()
        place.hand_over(new)
        wait_until(lambda: place.database.connections(new["username"]) > 0, "it recovers")
        log = application.log.read_text()
        assert "unknown-password" not in log
        assert "half a fi" not in log


def test_it_starts_without_a_database_and_gets_ready_by_itself(
    place: Place, tmp_path: Path
) -> None:
    login = _read(place)
    place.credentials.unlink()
    with running(place.environ, tmp_path, ready=False) as application:
        answer = application.get("/health/ready")
        assert answer.status == 503
        assert answer.document["checks"]["database"]["ok"] is False
        assert answer.document["checks"]["redis"]["ok"] is True
        assert application.get("/api/v1/instruments/EUR_USD").status == 503
        place.hand_over(login)
        started = time.monotonic()
        wait_until(application.is_ready, "it is ready")
        assert time.monotonic() - started < 5


def _current(place: Place) -> str:
    return str(_read(place)["username"])


def _read(place: Place) -> dict[str, str]:
    import json

    document: dict[str, str] = json.loads(place.credentials.read_text())
    return document
