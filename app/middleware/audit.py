"""An audit record for each changing request and each refusal, on disk before the answer leaves."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.audit.file import AuditFailed
from app.audit.note import begin
from app.audit.trail import Trail
from flowrex import log
from flowrex.audit.record import Detail, Record

_log = logging.getLogger("app.audit")

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSALS = frozenset({401, 403, 429})
_CLIENT_CLOSED = 499
_LONGEST = 256


class Audit:
    """Lets nothing change that can't be recorded."""

    def __init__(self, app: ASGIApp, trail: Trail) -> None:
        self._app = app
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _Request(scope)
        if request.changes and not self._trail.usable:
            await self._refuse(request, scope, receive, send)
            return
        sent = False

        async def send_recorded(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start" and not sent:
                await self._record(request, message["status"])
                sent = True
            await send(message)

        try:
            await self._app(scope, receive, send_recorded)
        except AuditFailed:
            if sent:
                raise
            await _answer(scope, receive, send, "whether it was done is not known: look, or repeat "
                          "it with the same Idempotency-Key")  # fmt: skip
        except BaseException:
            if not sent and request.changes:
                # A bug, answered further out, or a client that has gone: it may have changed
                # something all the same.
                await self._record(request, 500)
            raise

    async def _record(self, request: _Request, status: int) -> None:
        refused = status in _REFUSALS or (status == 503 and "place" in request.detail)
        if request.changes or refused:
            await self._trail.write(request.record(status, refused=refused))

    async def _refuse(self, request: _Request, scope: Scope, receive: Receive, send: Send) -> None:
        # Trying to record the refusal finds out whether the disk is well again.
        request.detail["reason"] = "the audit trail can't be written"
        try:
            await self._trail.write(request.record(503, refused=True))
        except AuditFailed as error:
            _log.error("a changing request is refused: %s", error.message)
        await _answer(scope, receive, send, "nothing was changed")


class _Request:
    """What the record says of a request."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._began = time.perf_counter()
        self._time = datetime.now(UTC)
        self.changes = scope["method"] not in _READS
        self.detail: dict[str, Detail] = begin(scope)

    def record(self, status: int, *, refused: bool) -> Record:
        """Return the record of this request with its answer's status."""
        headers, client = Headers(scope=self._scope), self._scope.get("client")
        if forwarded := headers.get("x-forwarded-for"):
            self.detail["forwarded_for"] = forwarded[:_LONGEST]
        actor = headers.get("x-actor")
        return Record(
            time=self._time,
            kind="refusal" if refused else "request",
            request_id=log.request_id.get() or "",
            actor=actor[:_LONGEST] if actor else None,
            method=self._scope["method"],
            path=self._scope["path"][: 4 * _LONGEST],
            source=client[0] if client else "",
            user_agent=headers.get("user-agent", "")[:_LONGEST],
            status=status,
            duration_ms=(time.perf_counter() - self._began) * 1000,
            detail=self.detail,
        )


async def _answer(scope: Scope, receive: Receive, send: Send, consequence: str) -> None:
    body = {
        "error": f"the audit trail can't be written; {consequence}",
        "request_id": log.request_id.get(),
    }
    await JSONResponse(body, status_code=503, headers={"Retry-After": "5"})(scope, receive, send)
