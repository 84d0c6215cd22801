"""Positions of the paper book."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from app.services import Wired
from app.store import book
from app.store.read import read

router = APIRouter(prefix="/api/v1/positions", tags=["trading"])


class HeldPosition(BaseModel):
    """What is held; a quantity less than zero is sold short."""

    symbol: str
    quantity: str
    average_price: str
    updated_at: datetime


class Positions(BaseModel):
    """All that are not of nothing, by symbol."""

    positions: list[HeldPosition]


@router.get("", response_model=Positions)
async def positions(services: Wired) -> dict[str, Any]:
    """Answer every position that is not of nothing."""
    rows = await read(services.database, book.positions)
    return {
        "positions": [
            {
                **row,
                "quantity": f"{row['quantity'].normalize():f}",
                "average_price": f"{row['average_price'].normalize():f}",
            }
            for row in rows
        ]
    }
