from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from app.cache import Cache, CacheUnavailable
from app.metrics import Metrics
from app.settings import Secrets, load
from flowrex.secret import Secret

SECRETS = Secrets(Secret("k"), "user-of-redis", Secret("word-of-redis"))


def make(port: int, clock: list[float]) -> Cache:
    settings = load(
        {
            "FLOWREX_DATABASE_HOST": "db",
            "FLOWREX_DATABASE_CREDENTIALS": "/none",
            "FLOWREX_SECRETS": str(Path("/none")),
            "FLOWREX_REDIS_HOST": "127.0.0.1",
            "FLOWREX_CONSUL_ADDRESS": "http://127.0.0.1:8500",
            "FLOWREX_STATE_DIR": "/nowhere",
            "FLOWREX_AUDIT_DIR": "/nowhere",
            "FLOWREX_REDIS_PORT": str(port),
        }
    )
    return Cache(settings, SECRETS, Metrics("1", "test"), clock=lambda: clock[0])


async def _value() -> bytes:
    return b"fresh"


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_without_redis_the_value_is_loaded() -> None:
    cache = make(_closed_port(), [0.0])
    assert await cache.through("key", 5, _value) == (b"fresh", "unavailable")


async def test_what_loading_raises_is_the_callers() -> None:
    async def failing() -> bytes:
        raise ValueError("the database's own error")

    with pytest.raises(ValueError, match="own error"):
        await make(_closed_port(), [0.0]).through("key", 5, failing)


async def test_the_check_says_what_is_wrong_without_the_login() -> None:
    with pytest.raises(CacheUnavailable) as caught:
        await make(_closed_port(), [0.0]).check()
    assert caught.value.message == "can't connect"


async def test_after_an_error_redis_is_left_alone_for_a_moment() -> None:
    connections = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    clock = [100.0]
    cache = make(server.sockets[0].getsockname()[1], clock)
    async with server:
        await cache.through("key", 5, _value)
        after_first = connections
        assert after_first > 0
        await cache.through("key", 5, _value)
        assert connections == after_first
        clock[0] += 2
        await cache.through("key", 5, _value)
        assert connections > after_first
