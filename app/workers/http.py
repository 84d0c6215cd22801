"""The worker's health and metrics, over HTTP, on a thread of their own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.metrics import CONTENT_TYPE

# The loop beats each second; a database that hangs is given up on after ten.
STUCK_S = 30.0


class Pulse:
    """When the worker's loop last got around."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Tell that it did."""
        self._last = self._clock()

    @property
    def alive(self) -> bool:
        """Whether it did not long ago."""
        return self._clock() - self._last < STUCK_S


def serve(
    host: str,
    port: int,
    pulse: Pulse,
    status: Callable[[], dict[str, Any]],
    exposition: Callable[[], bytes],
) -> ThreadingHTTPServer:
    """Answer /health/live and /metrics until the process ends.

    Args:
        host: the address to listen on.
        port: the port, likewise.
        pulse: whether the worker gets on.
        status: what /health/live shows besides.
        exposition: the metrics in Prometheus's text format.

    Raises:
        OSError: the address can't be had.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE, exposition())
            elif self.path == "/health/live":
                alive = pulse.alive
                body = {"status": "alive" if alive else "stuck", **status()}
                self._answer(200 if alive else 503, "application/json", json.dumps(body).encode())
            else:
                self._answer(404, "application/json", b'{"detail": "Not Found"}')

        def log_message(self, *_: Any) -> None:
            """Say nothing: a check comes each second."""

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
