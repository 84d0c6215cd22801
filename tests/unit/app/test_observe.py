from __future__ import annotations

import logging

import httpx
import pytest
from fastapi import FastAPI

from app.drain import Drain
from app.metrics import Metrics
from app.middleware.draining import CloseWhileDraining
from app.middleware.observe import Observe
from app.middleware.request_id import RequestId


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.0.0", "test")


@pytest.fixture
def drain() -> Drain:
    return Drain()


@pytest.fixture
def client(metrics: Metrics, drain: Drain) -> httpx.AsyncClient:
    app = FastAPI()

    @app.get("/orders/{number}")
    async def order(number: int) -> dict[str, int]:
        return {"number": number}

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError("the inside")

    app.add_middleware(Observe, metrics=metrics)
    app.add_middleware(CloseWhileDraining, drain=drain)
    app.add_middleware(RequestId)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app")


def count(metrics: Metrics, **labels: str) -> float | None:
    return metrics.registry.get_sample_value("http_requests_total", labels)


async def test_requests_are_counted_under_their_routes_template(
    client: httpx.AsyncClient, metrics: Metrics
) -> None:
    for number in range(3):
        await client.get(f"/orders/{number}")
    assert count(metrics, method="GET", route="/orders/{number}", status="200") == 3


async def test_unknown_paths_and_methods_share_one_label(
    client: httpx.AsyncClient, metrics: Metrics
) -> None:
    await client.get("/a")
    await client.get("/b")
    await client.request("BREW", "/c")
    assert count(metrics, method="GET", route="unmatched", status="404") == 2
    assert count(metrics, method="other", route="unmatched", status="404") == 1


async def test_a_bug_is_a_500_that_names_the_request_and_shows_nothing(
    client: httpx.AsyncClient, metrics: Metrics
) -> None:
    answer = await client.get("/bug", headers={"X-Request-ID": "trace-me-1"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error", "request_id": "trace-me-1"}
    assert answer.headers["x-request-id"] == "trace-me-1"
    assert count(metrics, method="GET", route="/bug", status="500") == 1
    assert metrics.registry.get_sample_value("http_requests_in_progress") == 0


async def test_the_log_line_leaves_the_query_out(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "app.access"):
        await client.get("/orders/7?token=hidden")
    [line] = [record for record in caplog.records if record.name == "app.access"]
    assert line.__dict__["path"] == "/orders/7"
    assert "hidden" not in str(line.__dict__)


async def test_answers_close_their_connection_only_while_draining(
    client: httpx.AsyncClient, drain: Drain
) -> None:
    assert "connection" not in (await client.get("/orders/1")).headers
    drain.begin(0.0)
    assert (await client.get("/orders/1")).headers["connection"] == "close"
