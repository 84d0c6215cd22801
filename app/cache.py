"""Redis, as a cache that may be missing: a read then costs a query, never an error."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from app.metrics import Metrics
from app.settings import Secrets, Settings
from flowrex.errors import ServerUnreachable

_TIMEOUT_S = 0.25
_PAUSE_S = 1.0

Clock = Callable[[], float]


class CacheUnavailable(ServerUnreachable):
    """Redis does not answer, or refuses."""


class Cache:
    """Values kept for a short time."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        metrics: Metrics,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        Args:
            settings: where Redis is.
            secrets: its login.
            metrics: where hits and misses are counted.
            clock: a monotonic clock, in seconds.
        """
        self._metrics = metrics
        self._clock = clock
        self._paused_until = 0.0
        self._redis = redis.Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            username=secrets.redis_username,
            password=secrets.redis_password.reveal(),
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            # Once more at once, for a connection that Redis closed while it was idle.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            client_name="flowrex-backend",
        )

    async def through(
        self, key: str, seconds: int, load: Callable[[], Awaitable[bytes]]
    ) -> tuple[bytes, str]:
        """Return the value under `key`; load and keep it where it is missing.

        Args:
            key: the value's name.
            seconds: how long it is kept.
            load: makes the value; its errors are the caller's.

        Returns:
            The value, and `hit`, `miss` or `unavailable`.
        """
        result = "miss"
        try:
            if (kept := await self._get(key)) is not None:
                self._metrics.cache.labels(result="hit").inc()
                return kept, "hit"
        except CacheUnavailable:
            result = "unavailable"
        value = await load()
        self._metrics.cache.labels(result=result).inc()
        if result == "miss":
            await self._keep(key, value, seconds)
        return value, result

    async def check(self) -> None:
        """Ask Redis something that costs nothing.

        Raises:
            CacheUnavailable: it does not answer.
        """
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise CacheUnavailable(_describe(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _get(self, key: str) -> bytes | None:
        # One slow answer is enough: the next requests go past a Redis that hangs, for a moment.
        if self._clock() < self._paused_until:
            raise CacheUnavailable("paused after an error")
        try:
            value = await self._redis.get(key)
        except (RedisError, OSError) as error:
            self._paused_until = self._clock() + _PAUSE_S
            raise CacheUnavailable(_describe(error)) from error
        return value.encode() if isinstance(value, str) else value

    async def _keep(self, key: str, value: bytes, seconds: int) -> None:
        try:
            await self._redis.set(key, value, ex=seconds)
        except (RedisError, OSError):
            self._paused_until = self._clock() + _PAUSE_S


def _describe(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return "Redis refuses the login"
    if isinstance(error, NoPermissionError):
        return "Redis does not let this user do that"
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, redis.BusyLoadingError):
        return "Redis is loading its data"
    if isinstance(error, redis.ConnectionError | OSError):
        return "can't connect"
    return f"Redis answers with an error ({type(error).__name__})"
