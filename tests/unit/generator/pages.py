"""A web server of a test's own, on loopback."""

from __future__ import annotations

import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.serving import serving


class Page(BaseHTTPRequestHandler):
    """Answers /json, /text and nothing else."""

    def do_GET(self) -> None:
        known = {"/json": b'{"a": 1}', "/text": b"hm"}
        body = known.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def pages(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve them for the length of a block, by TLS where there is a context; yield the port."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Page)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield port
