"""Transactions that change something, and so are not repeated by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.store.errors import DRIVER_ERRORS, LOGIN_REFUSED, DatabaseUnavailable, describe
from app.store.pool import Database


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Any]:
    """Lend a connection in a transaction that is committed when the block ends well.

    Where the answer to the commit is lost, nobody knows whether it was done: the caller says that
    it can't tell, and a repetition with the same idempotency key finds out.

    Yields:
        An asyncpg connection.

    Raises:
        DatabaseUnavailable: the database can't be used now.
    """
    try:
        async with database.connection() as connection, connection.transaction():
            yield connection
    except LOGIN_REFUSED as error:
        await database.refresh()
        raise DatabaseUnavailable(describe(error)) from error
    except DRIVER_ERRORS as error:
        raise DatabaseUnavailable(describe(error)) from error
