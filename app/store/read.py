"""Queries that only read, and so may be asked again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from app.store.errors import DRIVER_ERRORS, LOGIN_REFUSED, DatabaseUnavailable, describe
from app.store.pool import Database

T = TypeVar("T")

# When a server ends several connections at once, the second one at hand may be dead as well.
_ATTEMPTS = 3

_CONNECTION_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
)


async def read(database: Database, work: Callable[[Any], Awaitable[T]]) -> T:
    """Return what `work` reads; again where its connection or its lease ended under it.

    Args:
        database: where from.
        work: gets a connection; it must change nothing, since it may be called again.

    Raises:
        DatabaseUnavailable: the database can't answer now.
    """
    failure: BaseException | None = None
    for _ in range(_ATTEMPTS):
        try:
            async with database.connection() as connection:
                return await work(connection)
        except LOGIN_REFUSED as error:
            # What a connection may do ends with its lease, though the connection goes on.
            failure = error
            await database.refresh()
        except _CONNECTION_LOST as error:
            failure = error
        except DRIVER_ERRORS as error:
            raise DatabaseUnavailable(describe(error)) from error
    assert failure is not None
    raise DatabaseUnavailable(describe(failure)) from failure


async def check(database: Database) -> None:
    """Ask the database something that costs nothing.

    Raises:
        DatabaseUnavailable: it does not answer.
    """
    await read(database, lambda connection: connection.fetchval("SELECT 1"))
