"""What can be traded."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import BaseModel, TypeAdapter

from app.services import Services, Wired
from app.store.instruments import all_instruments, one_instrument

router = APIRouter(prefix="/api/v1/instruments", tags=["instruments"])

_CACHE_KEY = "flowrex:instruments:v1"
_CACHE_S = 5


class Instrument(BaseModel):
    """One thing that can be traded.

    `lot_size` is a decimal number as text, so that no digit is lost.
    """

    symbol: str
    name: str
    asset_class: str
    base: str
    quote: str
    price_precision: int
    lot_size: str
    enabled: bool


class Instruments(BaseModel):
    """All of them, by symbol."""

    instruments: list[Instrument]


_document: TypeAdapter[Instruments] = TypeAdapter(Instruments)


@router.get("", response_model=Instruments)
async def list_instruments(services: Wired) -> Response:
    """Answer every instrument; up to a few seconds old."""

    async def load() -> bytes:
        return await _load(services)

    body, result = await services.cache.through(_CACHE_KEY, _CACHE_S, load)
    return Response(body, media_type="application/json", headers={"X-Cache": result})


@router.get("/{symbol}", response_model=Instrument)
async def get_instrument(
    services: Wired, symbol: Annotated[str, Path(pattern="^[A-Z0-9]{2,10}_[A-Z0-9]{2,10}$")]
) -> dict[str, Any]:
    """Answer one instrument."""
    instrument = await one_instrument(services.database, symbol)
    if instrument is None:
        raise HTTPException(404, f"there is no instrument {symbol}")
    return instrument


async def _load(services: Services) -> bytes:
    rows = await all_instruments(services.database)
    return _document.dump_json(_document.validate_python({"instruments": rows}))
