"""A Nomad on loopback that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Told:
    """One answer; `cut` announces a longer body than it sends."""

    status: int
    body: bytes
    headers: dict[str, str]
    cut: bool


@dataclass
class Stub:
    """What it was asked, and what it answers by method and path."""

    address: str
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], Told] = field(default_factory=dict)

    def tell(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        cut: bool = False,
    ) -> None:
        """Answer `path` (from `/v1/` on) with JSON, or with bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[method, path] = Told(status, content, headers or {}, cut)

    @property
    def last(self) -> Asked:
        return self.asked[-1]


@contextmanager
def running() -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            stub.asked.append(
                Asked(
                    self.command,
                    parts.path,
                    parse_qs(parts.query),
                    dict(self.headers),
                    self.rfile.read(length),
                )
            )
            nothing = Told(404, b"nobody told the stub", {}, False)
            told = stub.answers.get((self.command, parts.path), nothing)
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body) + (10 if told.cut else 0)))
            self.end_headers()
            self.wfile.write(told.body)

        do_GET = do_PUT = do_POST = do_DELETE = _any

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub = Stub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
