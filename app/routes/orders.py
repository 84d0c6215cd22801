"""Orders of the paper book.

Nobody logs in yet: `X-Actor` says who acts, and is recorded as said, unverified.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.audit.note import note
from app.domain.orders import Order
from app.domain.risk import MAX_ORDER_QUANTITY
from app.services import Wired
from app.store import book
from app.store.read import read
from app.trading import check

router = APIRouter(prefix="/api/v1/orders", tags=["trading"])

_ID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Actor = Annotated[str, Header(alias="X-Actor", pattern=r"^[A-Za-z0-9][A-Za-z0-9@._+-]{0,63}$")]
Key = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[A-Za-z0-9._:-]{8,128}$")]


class NewOrder(BaseModel):
    """What is wanted.

    Without `limit_price` it is filled at the market's price, or refused; with it, it rests in the
    book where the market is worse. `reduce_only` makes it an exit, which no emergency forbids.
    """

    model_config = ConfigDict(extra="forbid")

    symbol: str = Field(pattern="^[A-Z0-9]{2,10}_[A-Z0-9]{2,10}$")
    side: Literal["buy", "sell"]
    quantity: Decimal = Field(gt=0, le=MAX_ORDER_QUANTITY, max_digits=16, decimal_places=8)
    limit_price: Decimal | None = Field(default=None, gt=0, max_digits=18, decimal_places=10)
    reduce_only: bool = False

    def order(self) -> Order:
        """Return what the domain knows of it."""
        return Order(self.symbol, self.side, self.quantity, self.limit_price, self.reduce_only)


class PlacedOrder(BaseModel):
    """An order in the book; decimal numbers are texts, so that no digit is lost."""

    id: str
    actor: str
    symbol: str
    side: str
    kind: str
    quantity: str
    limit_price: str | None
    reduce_only: bool
    status: str
    price: str | None
    created_at: datetime
    closed_at: datetime | None


class Orders(BaseModel):
    """The newest first."""

    orders: list[PlacedOrder]


def admitted(services: Wired, wanted: NewOrder) -> Order:
    """Refuse at the door what the emergency forbids: the first of the three locks."""
    order = wanted.order()
    check(services.switch(), order, "api")
    return order


@router.post("", response_model=PlacedOrder, status_code=201)
async def place(
    services: Wired,
    request: Request,
    response: Response,
    order: Annotated[Order, Depends(admitted)],
    key: Key,
    actor: Actor,
) -> dict[str, Any]:
    """Place an order. The same `Idempotency-Key` never gives a second one."""
    placed = await services.trading.place(order, key, actor)
    if placed.replayed:
        response.status_code = 200
        response.headers["Idempotent-Replayed"] = "true"
    note(request, order=placed.row["id"], outcome=placed.row["status"], replayed=placed.replayed)
    return _document(placed.row)


@router.get("", response_model=Orders)
async def newest(
    services: Wired,
    status: Literal["open", "filled", "cancelled"] | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """Answer the newest orders."""
    rows = await read(services.database, lambda c: book.newest(c, status, limit))
    return {"orders": [_document(row) for row in rows]}


@router.delete("/{order_id}", response_model=PlacedOrder)
async def cancel(
    services: Wired,
    request: Request,
    order_id: Annotated[str, Path(pattern=_ID)],
    actor: Actor,
) -> dict[str, Any]:
    """Cancel an order that rests; one that is cancelled already is no error."""
    outcome, row = await services.trading.cancel(order_id)
    note(request, order=order_id, outcome=outcome)
    if row is None:
        raise HTTPException(404, f"there is no order {order_id}")
    if outcome == "filled":
        raise HTTPException(409, f"order {order_id} is filled")
    return _document(row)


def _document(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "quantity": _plain(row["quantity"]),
        "limit_price": _plain(row["limit_price"]),
        "price": _plain(row["price"]),
    }


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number.normalize():f}"
