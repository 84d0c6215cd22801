"""Connections to PostgreSQL whose login changes while requests run.

A lease's credentials end. Before they do, Nomad writes new ones to the file; `Database` notices,
opens a pool with them, sends new work there, and closes the old pool when its last request is done
or a bound has passed. No request sees the change. Where the new credentials don't work, the old
pool stays and the attempt is repeated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from app import essential
from app.metrics import Metrics
from app.settings import DatabaseSettings
from app.store import credentials as leases
from app.store.credentials import Credentials, Identity
from app.store.errors import DRIVER_ERRORS, LOGIN_REFUSED, DatabaseUnavailable, describe
from flowrex.errors import ConfigurationError

_log = logging.getLogger("app.store")

_POLL_S = 1.0
_RETRY_MAX_S = 5.0
_OPEN_S = 5.0
_ACQUIRE_S = 3.0
_COMMAND_S = 10.0
_RELEASE_S = 2.0


class _Pool:
    """One lease's connections, and how many requests use or await one."""

    def __init__(self, pool: asyncpg.Pool, lease: Credentials) -> None:
        self.pool = pool
        self.lease = lease
        self.users = 0
        self.unused = asyncio.Event()
        self.unused.set()

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[None]:
        # asyncpg's own close() forgets requests that still wait for a connection and would close
        # one under them; counting from before the wait closes that gap.
        self.users += 1
        self.unused.clear()
        try:
            yield
        finally:
            self.users -= 1
            if not self.users:
                self.unused.set()

    async def close(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self.unused.wait()
                await self.pool.close()
        except TimeoutError:
            _log.warning(
                "closed the connections of an ended lease under running requests",
                extra={"requests": self.users, "after_s": within_s},
            )
            self.pool.terminate()


class Database:
    """The pool of the moment, and the task that follows the credentials file."""

    def __init__(
        self,
        settings: DatabaseSettings,
        metrics: Metrics,
        *,
        application_name: str = "flowrex",
        retire_s: float = 30,
        poll_s: float = _POLL_S,
    ) -> None:
        """Remember how to connect; nothing is opened before `start`.

        Args:
            settings: where PostgreSQL is.
            metrics: where connections and rotations are counted.
            application_name: what PostgreSQL shows for the connections.
            retire_s: seconds that a replaced pool's requests may still take.
            poll_s: seconds between two looks at the credentials file.
        """
        self._settings = settings
        self._metrics = metrics
        self._application_name = application_name
        self._retire_s = retire_s
        self._poll_s = poll_s
        self._current: _Pool | None = None
        self._problem = "not connected yet"
        self._seen: Identity | None = None
        self._retry_s = poll_s
        self._refreshing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def start(self, *, wait_s: float = 2.0) -> None:
        """Begin to follow the credentials; wait a little for the first connection.

        It returns also where the database can't be reached: the application starts, is not ready,
        and gets ready by itself.

        Args:
            wait_s: seconds to wait at the most.
        """
        self._metrics.pool_size.set(self._settings.pool_size)
        first = asyncio.create_task(self.refresh())
        await asyncio.wait({first}, timeout=wait_s)
        self._follower = essential.start(self._follow(first), "following the credentials")

    async def stop(self, *, within_s: float = 2.0) -> None:
        """Close everything, bounded in time."""
        if self._follower is not None:
            self._follower.cancel()
            with suppress(asyncio.CancelledError):
                await self._follower
        if self._current is not None:
            await self._current.close(within_s)
            self._current = None
        for task in self._retiring:
            task.cancel()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection of the current lease.

        Yields:
            An asyncpg connection.

        Raises:
            DatabaseUnavailable: there is none to be had; the message is fit for a response.
        """
        pool = self._current
        if pool is None:
            raise DatabaseUnavailable(self._problem)
        try:
            async with self._lent(pool) as connection:
                yield connection
            return
        except _LoginRefused:
            # The lease ended before its file was read. Nothing of the request has run yet.
            await self.refresh()
        replacement = self._current
        if replacement is None or replacement is pool:
            raise DatabaseUnavailable(self._problem)
        try:
            async with self._lent(replacement) as connection:
                yield connection
        except _LoginRefused as error:
            raise DatabaseUnavailable(self._problem) from error

    async def refresh(self) -> None:
        """Read the credentials file and change over to its lease if it is another one."""
        async with self._refreshing:
            self._seen = leases.identity(self._settings.credentials)
            try:
                lease = leases.read(self._settings.credentials)
                if self._current is not None and lease == self._current.lease:
                    self._retry_s = self._poll_s
                    return
                opened = await self._open(lease)
            except ConfigurationError as error:
                self._failed(error.message)
            except DRIVER_ERRORS as error:
                self._failed(describe(error))
            else:
                self._change_over(_Pool(opened, lease))

    @asynccontextmanager
    async def _lent(self, pool: _Pool) -> AsyncIterator[Any]:
        async with pool.borrowed():
            self._metrics.pool_waiting.inc()
            try:
                connection = await pool.pool.acquire(timeout=_ACQUIRE_S)
            except LOGIN_REFUSED as error:
                self._problem = describe(error)
                self._wake.set()
                raise _LoginRefused from error
            except DRIVER_ERRORS as error:
                raise DatabaseUnavailable(describe(error)) from error
            finally:
                self._metrics.pool_waiting.dec()
            try:
                self._count()
                yield connection
            except LOGIN_REFUSED:
                # A revoked lease shows on connections that are open as lost permissions.
                self._wake.set()
                raise
            finally:
                await _give_back(pool.pool, connection)
                self._count()

    async def _open(self, lease: Credentials) -> asyncpg.Pool:
        async with asyncio.timeout(_OPEN_S):
            pool = await asyncpg.create_pool(
                host=self._settings.host,
                port=self._settings.port,
                database=self._settings.name,
                user=lease.username,
                password=lease.password.reveal(),
                ssl=self._settings.ssl_mode,
                min_size=0,
                max_size=self._settings.pool_size,
                timeout=_OPEN_S,
                command_timeout=_COMMAND_S,
                server_settings={"application_name": self._application_name},
            )
            try:
                # Only a login that works may take the old one's place.
                await pool.release(await pool.acquire())
            except BaseException:
                pool.terminate()
                raise
            return pool

    def _change_over(self, pool: _Pool) -> None:
        previous, self._current = self._current, pool
        self._retry_s = self._poll_s
        self._problem = ""
        self._count()
        if previous is None:
            _log.info("connected to PostgreSQL")
            return
        self._metrics.rotations.labels(result="success").inc()
        _log.info("changed over to new database credentials")
        task = asyncio.create_task(previous.close(self._retire_s))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _failed(self, problem: str) -> None:
        if self._current is None:
            self._problem = problem
            _log.warning("can't connect to PostgreSQL yet: %s", problem)
        else:
            self._metrics.rotations.labels(result="failure").inc()
            _log.error("keeping the old database credentials: %s", problem)
        self._retry_s = min(self._retry_s * 2, _RETRY_MAX_S)
        self._wake_later()

    def _wake_later(self) -> None:
        asyncio.get_running_loop().call_later(self._retry_s, self._wake.set)

    async def _follow(self, first: asyncio.Task[None]) -> None:
        await first
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            asked = self._wake.is_set()
            self._wake.clear()
            self._count()
            if asked or leases.identity(self._settings.credentials) != self._seen:
                await self.refresh()

    def _count(self) -> None:
        size, idle = 0, 0
        if self._current is not None:
            size, idle = self._current.pool.get_size(), self._current.pool.get_idle_size()
        self._metrics.database_connections.labels(state="in_use").set(size - idle)
        self._metrics.database_connections.labels(state="idle").set(idle)


class _LoginRefused(Exception):
    """The lease of the pool does not work any more."""


async def _give_back(pool: asyncpg.Pool, connection: object) -> None:
    try:
        await pool.release(connection, timeout=_RELEASE_S)
    except DRIVER_ERRORS as error:
        # asyncpg has closed the connection; the request's own result stands.
        _log.warning("a connection to PostgreSQL could not be reused: %s", describe(error))
