"""What the routes work with, made once for each worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.audit.trail import Trail
from app.cache import Cache
from app.drain import Drain
from app.health import Probe
from app.metrics import Metrics
from app.settings import Settings
from app.store.pool import Database
from app.trading import Trading
from flowrex.switch import State


@dataclass(frozen=True)
class Services:
    """The parts of one running application.

    Attributes:
        settings: what it was told.
        drain: whether it is on its way out.
        metrics: what it counts.
        database: PostgreSQL.
        cache: Redis.
        switch: the kill switch's state, as the API asks for it.
        trail: the audit trail.
        trading: the order path, which asks for itself.
        probes: how each dependency is asked for its health.
    """

    settings: Settings
    drain: Drain
    metrics: Metrics
    database: Database
    cache: Cache
    switch: Callable[[], State]
    trail: Trail
    trading: Trading
    probes: Mapping[str, Probe]


def _of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Wired = Annotated[Services, Depends(_of)]
