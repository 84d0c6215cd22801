"""What the application's book still holds: asked of the backend itself, past a closed entry."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable

_TIMEOUT_S = 3.0
_POSITIONS = "/api/v1/positions"
_ORDERS = "/api/v1/orders?status=open"

Get = Callable[[str], Any]


@dataclass(frozen=True)
class Book:
    """The book, as far as it is known.

    Attributes:
        positions: symbol to quantity; None where nobody could be asked.
        orders: how many orders rest, as far as one answer lists them.
        problem: why it is not known.
    """

    positions: Mapping[str, str] | None
    orders: int = 0
    problem: str = ""

    def sentence(self) -> str:
        """Say it."""
        if self.positions is None:
            return f"Whether positions or orders are left is not known: {self.problem}."
        rest = f"{self.orders} open orders are left" if self.orders else "No open order is left"
        if not self.positions:
            return f"No position is left. {rest}."
        held = ", ".join(f"{quantity} {symbol}" for symbol, quantity in self.positions.items())
        return f"Positions are left: {held}. {rest}."


def get(url: str) -> Any:
    """Return the JSON document at a loopback or cluster address."""
    # No proxy: the instance is inside the cluster.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_TIMEOUT_S) as answer:
        return json.load(answer)


def read(consul: ConsulClient, ask: Get | None = None) -> Book:
    """Ask one backend after the other until one answers.

    Args:
        consul: knows where they are.
        ask: fetches a document; over HTTP unless given.
    """
    problem = "no backend is in service"
    try:
        instances = consul.services("backend")
    except ServerUnreachable as error:
        return Book(None, problem=error.message)
    for one in instances:
        try:
            found = (ask or get)(f"http://{one.address}:{one.port}{_POSITIONS}")
            held = {str(p["symbol"]): str(p["quantity"]) for p in found["positions"]}
            resting = (ask or get)(f"http://{one.address}:{one.port}{_ORDERS}")["orders"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            problem = f"the backend at {one.address}:{one.port} does not tell ({error})"
            continue
        return Book(held, len(resting))
    return Book(None, problem=problem)
