"""What runs here."""

from __future__ import annotations

import os

from fastapi import APIRouter
from pydantic import BaseModel

from app.services import Wired

router = APIRouter(prefix="/api/v1", tags=["platform"])


class Version(BaseModel):
    """The release that answers, and the process in it."""

    release: str
    environment: str
    pid: int


@router.get("/version")
async def version(services: Wired) -> Version:
    """Answer which release this is."""
    settings = services.settings
    return Version(release=settings.release, environment=settings.environment, pid=os.getpid())
