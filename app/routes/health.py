"""Health for people, for Consul and for Nomad."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from app.health import ask_all
from app.services import Wired

router = APIRouter(prefix="/health", tags=["health"])

SERVICE = "flowrex-backend"


@router.get("")
async def health() -> dict[str, Any]:
    """Answer that the service is there, without asking its dependencies."""
    return {"status": "healthy", "service": SERVICE, "timestamp": _now()}


@router.get("/live")
async def live() -> dict[str, Any]:
    """Answer that the process works; where this fails, a restart helps."""
    return {"status": "alive", "timestamp": _now()}


@router.get("/ready")
async def ready(services: Wired, response: Response) -> dict[str, Any]:
    """Answer whether requests should come here: not while draining, nor without a dependency."""
    outcomes = await ask_all(services.probes)
    if services.drain.active:
        status = "draining"
    elif all(outcome.ok for outcome in outcomes.values()):
        status = "ready"
    else:
        status = "not_ready"
    if status != "ready":
        response.status_code = 503
    return {
        "status": status,
        "checks": {name: outcome.as_document() for name, outcome in outcomes.items()},
        # Shown, and no reason to send requests elsewhere: exits must go on.
        "emergency": services.switch().as_document(),
        "release": services.settings.release,
        "timestamp": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
