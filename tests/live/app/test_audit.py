"""The audit trail of a real server: what was answered is on disk, whatever happens next."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import threading
from pathlib import Path
from typing import Any

from flowrex.audit.record import Link, follow, read_link
from tests.live.app.conftest import Place
from tests.live.app.process import Application, running
from tests.live.app.servers import wait_until

ORDER = json.dumps({"symbol": "EUR_USD", "side": "buy", "quantity": "1"})


def post(application: Application, number: int) -> tuple[int, str]:
    """Place an order; without Consul it is refused, and so recorded."""
    connection = http.client.HTTPConnection("127.0.0.1", application.port, timeout=10)
    headers = {"X-Actor": "tester", "Idempotency-Key": f"audit-test-{number}"}
    headers |= {"X-Request-ID": f"request-{number:06d}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/api/v1/orders", body=ORDER, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def records(place: Place) -> list[dict[str, Any]]:
    """Return every record, each file's chain proved."""
    found: list[dict[str, Any]] = []
    for path in sorted(Path(place.environ["FLOWREX_AUDIT_DIR"]).iterdir()):
        link: Link | None = None
        for line in path.read_bytes().splitlines(keepends=True):
            if link is None:
                first = read_link(line)
                assert first is not None
                link = Link(first.link.chain)
            link = follow(line, link)
            found.append(json.loads(line))
    return found


def test_each_refused_order_is_recorded_by_the_worker_that_answered(
    place: Place, tmp_path: Path
) -> None:
    with running(place.environ, tmp_path) as application:
        for number in range(20):
            status, body = post(application, number)
            assert status == 503 and "never read" in body, body
        found = records(place)
    assert {one["request_id"] for one in found} == {f"request-{n:06d}" for n in range(20)}
    assert {one["kind"] for one in found} == {"refusal"}
    assert found[0]["detail"]["place"] == "api"
    assert application.process.returncode is not None


def test_what_was_answered_survives_a_kill(place: Place, tmp_path: Path) -> None:
    answered: list[str] = []
    with running(place.environ, tmp_path) as application:
        stop = threading.Event()

        def load(first: int) -> None:
            number = first
            while not stop.is_set():
                try:
                    post(application, number)
                except (OSError, http.client.HTTPException):
                    return
                answered.append(f"request-{number:06d}")
                number += 1

        threads = [threading.Thread(target=load, args=(n * 100_000,)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) > 200, "some orders are answered")
        for pid in (application.process.pid, *application.workers()):
            os.kill(pid, signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
    found = [one["request_id"] for one in records(place)]
    assert set(answered) <= set(found)
    assert len(found) == len(set(found))


def test_a_disk_that_takes_no_more_stops_changes_and_no_reads(place: Place, tmp_path: Path) -> None:
    with running({**place.environ, "FLOWREX_WORKERS": "1"}, tmp_path) as application:
        assert "never read" in post(application, 1)[1]
        (worker,) = application.workers()
        (path,) = Path(place.environ["FLOWREX_AUDIT_DIR"]).iterdir()
        before = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        # In the middle of the next line.
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (path.stat().st_size + 50, before[1]))
        assert "can't be written" in post(application, 2)[1]
        assert "nothing was changed" in post(application, 3)[1]
        assert application.get("/api/v1/instruments/EUR_USD").status == 200
        assert application.metric("audit_records_total", result="failure") >= 2
        resource.prlimit(worker, resource.RLIMIT_FSIZE, before)
        post(application, 4)
        assert "never read" in post(application, 5)[1]
    assert [one["request_id"][-1] for one in records(place)] == ["1", "4", "5"]
