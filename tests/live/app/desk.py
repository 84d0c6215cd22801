"""The application in this process, on a real PostgreSQL, whose locks a test works one by one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
from fastapi import FastAPI

from app.brokers.paper import PaperBroker
from app.folders import prepare_folders
from app.main import assemble, wire
from app.services import Services
from app.settings import load
from app.trading import Trading
from flowrex.emergency import Emergency, Level
from flowrex.switch import State
from tests.live.app.conftest import Place
from tests.live.app.servers import Postgres

_numbers = itertools.count(1)
ORDER = {"symbol": "EUR_USD", "side": "buy", "quantity": "1000"}


def state(level: Level) -> State:
    return State(level, Emergency(level, "test"), 5, False, 0.0, f"level {level.word}")


@dataclass
class Desk:
    """The application in this process, with two switches that a test sets one by one."""

    database: Postgres
    services: Services
    client: httpx.AsyncClient
    levels: dict[str, Level] = field(
        default_factory=lambda: {"api": Level.NORMAL, "order_path": Level.NORMAL}
    )

    async def order(self, **changes: Any) -> httpx.Response:
        headers = {"Idempotency-Key": f"test-key-{next(_numbers)}", "X-Actor": "tester"}
        headers |= changes.pop("headers", {})
        return await self.client.post("/api/v1/orders", json=ORDER | changes, headers=headers)

    async def positions(self) -> dict[str, str]:
        answer = await self.client.get("/api/v1/positions")
        return {one["symbol"]: one["quantity"] for one in answer.json()["positions"]}

    def raise_database(self, level: Level) -> None:
        self.database.run(f"SELECT trading.change_emergency({int(level)}::smallint, 1, '', '', '')")


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Desk]:
    """Give a desk with an empty book and no emergency."""
    place.database.run(
        "TRUNCATE trading.trades, trading.orders, trading.positions;"
        "SELECT trading.change_emergency(0::smallint, 0, '', '', '');"
        "UPDATE trading.paper_quotes SET tradable = true"
    )
    made: list[Desk] = []

    def switch(where: str) -> State:
        return state(made[0].levels[where])

    settings = load(place.environ)
    prepare_folders(settings.consul.state_dir, settings.audit_dir)
    services = wire(settings, lambda: switch("api"))
    path = Trading(services.database, PaperBroker(), lambda: switch("order_path"), services.metrics)
    services = replace(services, trading=path)
    await services.database.start()
    transport = httpx.ASGITransport(assemble(FastAPI(), services))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            made.append(Desk(place.database, services, client))
            yield made[0]
    finally:
        await services.cache.close()
        await services.database.stop()
        services.trail.close()
