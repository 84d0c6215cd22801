"""An id for each request, in every log line of it and in its answer."""

from __future__ import annotations

import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowrex import log

HEADER = "X-Request-ID"
# What is taken over from outside ends up in logs: no spaces, no quotes, nothing long.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


class RequestId:
    """Takes over the caller's X-Request-ID if it is sane, else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        current = choose(Headers(scope=scope).get(HEADER))
        token = log.request_id.set(current)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = current
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            log.request_id.reset(token)


def choose(given: str | None) -> str:
    """Return the id that a request gets.

    Args:
        given: what the caller sent, if anything.
    """
    if given is not None and _SANE.fullmatch(given):
        return given
    return secrets.token_hex(16)
