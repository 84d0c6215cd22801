from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.workers.http import STUCK_S, Pulse, serve


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def port(clock: Clock) -> Iterator[int]:
    server = serve("127.0.0.1", 0, Pulse(clock), lambda: {"leads": True}, lambda: b"a_metric 1\n")
    yield server.server_port
    server.shutdown()
    server.server_close()


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def document(port: int) -> tuple[int, Any]:
    status, body = get(port, "/health/live")
    return status, json.loads(body)


def test_a_worker_whose_loop_gets_around_is_alive(port: int) -> None:
    assert document(port) == (200, {"status": "alive", "leads": True})


def test_a_worker_whose_loop_stands_still_is_to_be_restarted(port: int, clock: Clock) -> None:
    clock.now += STUCK_S
    assert document(port) == (503, {"status": "stuck", "leads": True})


def test_metrics_and_nothing_else(port: int) -> None:
    assert get(port, "/metrics") == (200, b"a_metric 1\n")
    assert get(port, "/")[0] == 404


def test_a_beat_starts_the_time_again() -> None:
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += STUCK_S - 1
    pulse.beat()
    clock.now += STUCK_S - 1
    assert pulse.alive
