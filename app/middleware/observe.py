"""Metrics and a log line for each request, and an answer where the application has a bug."""

from __future__ import annotations

import logging
import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import Metrics
from flowrex import log

_log = logging.getLogger("app.access")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET = ("/health", "/metrics")
_CLIENT_CLOSED = 499


class Observe:
    """Counts and logs each request under its route's template, which bounds the labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_progress.inc()
        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            _log.exception("a request failed", extra={"path": scope["path"]})
            if status:
                raise
            await _apologise(scope, receive, send_and_note)
        finally:
            self._metrics.in_progress.dec()
            self._note(scope, status or _CLIENT_CLOSED, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(method=method, route=route, status=str(status)).inc()
        self._metrics.duration.labels(method=method, route=route).observe(seconds)
        quiet = status < 400 and scope["path"].startswith(_QUIET)
        client = scope.get("client")
        # The query is left out: people put tokens there.
        _log.log(
            logging.DEBUG if quiet else logging.INFO,
            "request",
            extra={
                "method": scope["method"],
                "path": scope["path"],
                "route": route,
                "status": status,
                "duration_ms": round(seconds * 1000, 2),
                "client": client[0] if client else None,
            },
        )


async def _apologise(scope: Scope, receive: Receive, send: Send) -> None:
    body = {"error": "internal error", "request_id": log.request_id.get()}
    await JSONResponse(body, status_code=500)(scope, receive, send)
