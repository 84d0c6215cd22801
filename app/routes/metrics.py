"""Metrics for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.metrics import CONTENT_TYPE
from app.services import Wired

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(services: Wired) -> Response:
    """Answer all workers' metrics in Prometheus's text format."""
    return Response(services.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
