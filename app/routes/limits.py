"""What may be traded at most."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from app.services import Wired
from app.store.caps import caps
from app.store.read import read

router = APIRouter(prefix="/api/v1/limits", tags=["trading"])


class Limit(BaseModel):
    """One hard cap: what the code allows at most, what the database checks, whether they agree."""

    name: str
    code: str
    database: str | None
    enforced: bool


class Limits(BaseModel):
    """All hard caps."""

    caps: list[Limit]


@router.get("", response_model=Limits)
async def limits(services: Wired) -> dict[str, Any]:
    """Answer the hard caps, each just tried in the database."""
    found = await read(services.database, caps)
    return {
        "caps": [
            {
                "name": one.name,
                "code": f"{one.code:f}",
                "database": one.definition,
                "enforced": one.enforced,
            }
            for one in found
        ]
    }
