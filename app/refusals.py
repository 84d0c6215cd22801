"""What a refusal looks like to the client: one place that turns errors into answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request
from starlette.responses import JSONResponse

from app.audit.note import note
from app.services import Services
from app.store.errors import DatabaseUnavailable
from app.trading import KeyReused, OrderRefused, UnknownInstrument
from flowrex import log

_log = logging.getLogger("app.refusals")

_EMERGENCY_RETRY_S = 30
_STATUS = {"emergency": 503, "market": 409}

Handler = Callable[[Request, Any], Any]


async def _unavailable(_: Request, error: DatabaseUnavailable) -> JSONResponse:
    _log.warning("the database can't be used: %s", error)
    return _answer(503, "the database can't be used now", {"Retry-After": "1"})


async def _order_refused(request: Request, error: OrderRefused) -> JSONResponse:
    services: Services = request.app.state.services
    services.metrics.refused.labels(
        place=error.place, level=error.level.word, rule=error.rule
    ).inc()
    note(request, place=error.place, rule=error.rule, level=error.level.word)
    status = _STATUS.get(error.rule, 422)
    retry = {"Retry-After": str(_EMERGENCY_RETRY_S)} if status == 503 else {}
    return _answer(
        status,
        error.message,
        retry,
        refused={"place": error.place, "rule": error.rule, "level": error.level.word},
    )


async def _unknown_instrument(_: Request, error: UnknownInstrument) -> JSONResponse:
    return _answer(404, error.message)


async def _key_reused(_: Request, error: KeyReused) -> JSONResponse:
    return _answer(422, error.message)


HANDLERS: Mapping[type[Exception], Handler] = {
    DatabaseUnavailable: _unavailable,
    OrderRefused: _order_refused,
    UnknownInstrument: _unknown_instrument,
    KeyReused: _key_reused,
}


def _answer(
    status: int, error: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    body = {"error": error, **more, "request_id": log.request_id.get()}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))
