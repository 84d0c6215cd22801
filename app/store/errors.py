"""What can go wrong with a dependency, in words that never carry a credential."""

from __future__ import annotations

import errno
import os

import asyncpg

from flowrex.errors import ServerUnreachable

LOGIN_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,  # includes a wrong password
    asyncpg.InsufficientPrivilegeError,
)

# Everything that the driver raises while it connects, queries or gives back. InternalClientError is
# what it says when a connection ends at an unlucky moment.
DRIVER_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class DatabaseUnavailable(ServerUnreachable):
    """PostgreSQL can't be used now; the request may be tried again."""


def describe(error: BaseException) -> str:
    """Say what happened without the driver's own text, which names users and values.

    Args:
        error: what the driver or the operating system raised.
    """
    if isinstance(error, DatabaseUnavailable):
        return error.message
    if isinstance(error, LOGIN_REFUSED):
        return "PostgreSQL refuses the login; its lease may have ended"
    if isinstance(error, asyncpg.CannotConnectNowError):
        return "PostgreSQL is starting or stopping"
    if isinstance(error, asyncpg.TooManyConnectionsError):
        return "PostgreSQL has no free connection slot"
    if isinstance(error, asyncpg.PostgresError):
        return f"PostgreSQL answers with an error (SQLSTATE {error.sqlstate})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.errno:
        name = errno.errorcode.get(error.errno, str(error.errno))
        return f"can't connect: {os.strerror(error.errno)} ({name})"
    return f"can't connect ({type(error).__name__})"
