"""What an image's health check asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.alive import problem


class Process(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Process) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_process_that_answers_is_alive(port: int, host: str) -> None:
    assert problem({"FLOWREX_LISTEN": f"{host}:{port}"}) is None


def test_one_that_answers_something_else_is_not(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "status", 503)
    assert problem({"FLOWREX_LISTEN": f"127.0.0.1:{port}"}) == f"127.0.0.1:{port} answers 503"


def test_one_that_does_not_answer_is_not() -> None:
    assert "no answer from 127.0.0.1:9" in str(problem({"FLOWREX_LISTEN": "127.0.0.1:9"}))


def test_one_that_listens_nowhere_is_alive_while_it_runs() -> None:
    assert problem({}) is None
