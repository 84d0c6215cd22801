"""One secret, told as Vault tells it, for what only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.serving import serving


@contextmanager
def secret(path: str, **values: str) -> Iterator[str]:
    """Answer as Vault's KV engine does for one secret, and return the address.

    Args:
        path: `kv/data/flowrex/alertmanager`, for one.
        values: what is in it.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = self.path.partition("?")[0] == f"/v1/{path}"
            body = json.dumps({"data": {"data": values, "metadata": {}}} if there else {}).encode()
            self.send_response(200 if there else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}"


def flags(address: str) -> tuple[str, ...]:
    """Return what consul-template is told to read it."""
    return (f"-vault-addr={address}", "-vault-renew-token=false", "-vault-retry-attempts=1")
