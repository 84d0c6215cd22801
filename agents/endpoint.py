"""Health, metrics and status over HTTP, for this machine only."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowrex.errors import ConfigurationError

log = logging.getLogger(__name__)

JSON = "application/json"

_HEAD_LIMIT = 8192
_WITHIN_S = 5.0
_CONNECTIONS = 32
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = JSON


Page = Callable[[], Answer]


def as_json(document: object, status: int = 200) -> Answer:
    """Return a document as an answer."""
    return Answer(status, json.dumps(document, indent=2).encode() + b"\n")


class Endpoint:
    """A small HTTP/1.1 server: GET and HEAD of a few pages, one request a connection."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        """Remember the pages.

        Args:
            pages: what answers, by path.
        """
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self, address: str, port: int) -> int:
        """Listen, and return the port.

        Args:
            address: the loopback address.
            port: the port; 0 takes a free one.

        Raises:
            ConfigurationError: somebody else listens there.
        """
        try:
            self._server = await asyncio.start_server(self._serve, address, port, limit=_HEAD_LIMIT)
        except OSError as error:
            raise ConfigurationError(
                f"can't listen on {address}:{port}: {error.strerror or error}",
                hint="Is another agent running? `http.port` names another port.",
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening; what is being answered is not waited for."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _CONNECTIONS:
                await asyncio.wait_for(self._one(reader, writer), _WITHIN_S)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # a client that went away or says nothing
        finally:
            self._open -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            head = b""
        method, answer = self._answer(head)
        reason = _REASONS[answer.status]
        lines = (
            f"HTTP/1.1 {answer.status} {reason}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            "Cache-Control: no-store",
            "Connection: close",
        )
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        if method != "HEAD":
            writer.write(answer.body)
        await writer.drain()

    def _answer(self, head: bytes) -> tuple[str, Answer]:
        parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return "GET", as_json({"error": "this is no HTTP/1.1 request"}, 400)
        method, target, _ = parts
        if method not in ("GET", "HEAD"):
            return method, as_json({"error": "only GET and HEAD are answered"}, 405)
        page = self._pages.get(target.split("?", 1)[0])
        if page is None:
            return method, as_json({"error": "there is no such page", "pages": [*self._pages]}, 404)
        return method, page()
