"""The application, put together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from app.cache import Cache
from app.drain import Drain
from app.health import Probe
from app.metrics import Metrics
from app.middleware.draining import CloseWhileDraining
from app.middleware.observe import Observe
from app.middleware.request_id import RequestId
from app.routes import health, instruments, metrics, version
from app.services import Services
from app.settings import Settings, load_secrets
from app.store.errors import DatabaseUnavailable
from app.store.pool import Database
from app.store.read import check
from flowrex import log

_log = logging.getLogger("app")


def create_app(settings: Settings) -> FastAPI:
    """Return the application; it connects when it is started, not before.

    Args:
        settings: what it was told by its environment.

    Raises:
        ConfigurationError: the file of secrets is missing or incomplete.
    """
    services = _wire(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await services.database.start()
        try:
            yield
        finally:
            await services.cache.close()
            await services.database.stop()

    app = FastAPI(
        title="Flowrex",
        version=settings.release,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.services = services
    for part in (health, metrics, version, instruments):
        app.include_router(part.router)
    app.add_exception_handler(DatabaseUnavailable, _unavailable)
    # The last one added stands outermost.
    app.add_middleware(Observe, metrics=services.metrics)
    app.add_middleware(CloseWhileDraining, drain=services.drain)
    app.add_middleware(RequestId)
    return app


def _wire(settings: Settings) -> Services:
    counted = Metrics(settings.release, settings.environment)
    database = Database(
        settings.database, counted, application_name=f"flowrex-backend/{settings.release}"
    )
    cache = Cache(settings, load_secrets(settings.secrets), counted)
    return Services(
        settings=settings,
        drain=Drain(),
        metrics=counted,
        database=database,
        cache=cache,
        probes={
            "database": Probe("database", lambda: check(database)),
            "redis": Probe("redis", cache.check),
        },
    )


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    _log.warning("the database can't be used: %s", error)
    body = {"error": "the database can't be used now", "request_id": log.request_id.get()}
    return JSONResponse(body, status_code=503, headers={"Retry-After": "1"})
