"""A few pages over HTTP; what is no request for one of them is answered as such."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agents.endpoint import Answer, Endpoint, as_json
from flowrex.errors import ConfigurationError


@pytest.fixture
async def port() -> AsyncIterator[int]:
    pages = Endpoint(
        {
            "/health": lambda: as_json({"status": "passing"}),
            "/metrics": lambda: Answer(200, b"one 1\n", "text/plain"),
            "/sick": lambda: as_json({"status": "critical"}, 503),
        }
    )
    yield await pages.start("127.0.0.1", 0)
    await pages.stop()


async def ask(port: int, head: bytes) -> tuple[str, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = await reader.read()
    writer.close()
    lines, _, body = answer.partition(b"\r\n\r\n")
    return lines.split(b"\r\n")[0].decode(), body


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /health HTTP/1.1", "200 OK"),
        ("GET /metrics?name=one HTTP/1.1", "200 OK"),
        ("GET /sick HTTP/1.1", "503 Service Unavailable"),
        ("GET /none HTTP/1.1", "404 Not Found"),
        ("POST /health HTTP/1.1", "405 Method Not Allowed"),
        ("nonsense", "400 Bad Request"),
    ],
)
async def test_a_request_has_its_status(port: int, request_line: str, status: str) -> None:
    first, _ = await ask(port, f"{request_line}\r\nHost: x\r\n\r\n".encode())
    assert first == f"HTTP/1.1 {status}"


async def test_a_page_has_its_body_and_a_head_has_none(port: int) -> None:
    assert (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n"))[1] == b"one 1\n"
    assert (await ask(port, b"HEAD /metrics HTTP/1.1\r\n\r\n"))[1] == b""


async def test_an_endless_head_is_refused(port: int) -> None:
    first, _ = await ask(port, b"GET /health HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n")
    assert first == "HTTP/1.1 400 Bad Request"


async def test_a_client_that_goes_away_harms_nobody(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    assert (await ask(port, b"GET /health HTTP/1.1\r\n\r\n"))[0] == "HTTP/1.1 200 OK"


async def test_a_taken_port_is_said_to_be_taken(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"can't listen on 127.0.0.1:{port}"):
        await Endpoint({}).start("127.0.0.1", port)
