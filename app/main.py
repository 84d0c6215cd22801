"""The application, put together."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.audit.file import AuditFile
from app.audit.trail import Trail
from app.brokers.paper import PaperBroker
from app.cache import Cache
from app.consul import Connector
from app.drain import Drain
from app.emergency import EmergencyWatch
from app.health import Probe
from app.metrics import Metrics
from app.middleware.audit import Audit
from app.middleware.draining import CloseWhileDraining
from app.middleware.observe import Observe
from app.middleware.request_id import RequestId
from app.refusals import HANDLERS
from app.routes import health, instruments, limits, metrics, orders, positions, version
from app.services import Services
from app.settings import Settings, load_secrets
from app.store import emergency
from app.store.pool import Database
from app.store.read import check
from app.store.write import transaction
from app.trading import Trading
from flowrex.switch import State, Switch


def create_app(settings: Settings) -> FastAPI:
    """Return the application; it connects when it is started, not before.

    Args:
        settings: what it was told by its environment.

    Raises:
        ConfigurationError: the file of secrets is missing or incomplete.
    """
    switch = Switch(
        grace_s=settings.consul.grace_s, file=settings.consul.state_dir / "emergency.json"
    )
    services = wire(settings, switch.state)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await services.database.start()
        watch = _watch(services, switch)
        await watch.start()
        try:
            yield
        finally:
            await watch.stop()
            await services.cache.close()
            await services.database.stop()
            await asyncio.to_thread(services.trail.close)

    app = FastAPI(
        title="Flowrex",
        version=settings.release,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    return assemble(app, services)


def assemble(app: FastAPI, services: Services) -> FastAPI:
    """Give an application its routes and layers."""
    app.state.services = services
    for part in (health, metrics, version, instruments, limits, orders, positions):
        app.include_router(part.router)
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
    # The last one added stands outermost.
    app.add_middleware(Audit, trail=services.trail)
    app.add_middleware(Observe, metrics=services.metrics)
    app.add_middleware(CloseWhileDraining, drain=services.drain)
    app.add_middleware(RequestId)
    return app


def wire(settings: Settings, switch: Callable[[], State]) -> Services:
    """Return the parts of an application.

    Args:
        settings: what it was told.
        switch: the kill switch's state.

    Raises:
        ConfigurationError: the file of secrets is missing or incomplete.
    """
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
        switch=switch,
        trail=Trail(AuditFile(settings.audit_dir, file_name()), counted),
        trading=Trading(database, PaperBroker(), switch, counted),
        probes={
            "database": Probe("database", lambda: check(database)),
            "redis": Probe("redis", cache.check),
        },
    )


def file_name() -> str:
    """Return a name for this process's audit file that no other process ever has."""
    return f"backend-{os.getpid()}-{time.time_ns()}"


def _watch(services: Services, switch: Switch) -> EmergencyWatch:
    consul, release = services.settings.consul, services.settings.release
    instance = consul.instance[:8]

    async def raise_lock(state: State) -> None:
        async with transaction(services.database) as connection:
            await emergency.raise_to(connection, state, f"backend/{instance}-{os.getpid()}")

    return EmergencyWatch(
        switch,
        services.metrics,
        watching=Connector(consul.address, consul.token_file),
        telling=Connector(consul.address, consul.token_file),
        on_change=raise_lock,
        kind="backend",
        instance=instance,
        node=consul.node,
        release=release,
        grace_s=consul.grace_s,
        processes=services.settings.workers,
    )
