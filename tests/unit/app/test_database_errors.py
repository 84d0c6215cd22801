from __future__ import annotations

import errno
import os

import asyncpg
import pytest

from app.store.errors import describe

LOGIN = "v-token-backend-s3cr3t"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncpg.InvalidPasswordError(f'failed for user "{LOGIN}"'), "refuses the login"),
        (asyncpg.InvalidAuthorizationSpecificationError(LOGIN), "refuses the login"),
        (asyncpg.InsufficientPrivilegeError(LOGIN), "refuses the login"),
        (asyncpg.CannotConnectNowError(LOGIN), "starting or stopping"),
        (asyncpg.TooManyConnectionsError(LOGIN), "no free connection slot"),
        (asyncpg.UndefinedTableError(LOGIN), "SQLSTATE 42P01"),
        (TimeoutError(LOGIN), "no answer in time"),
        (ConnectionRefusedError(errno.ECONNREFUSED, LOGIN), "connection refused"),
        (OSError(errno.EHOSTUNREACH, LOGIN), os.strerror(errno.EHOSTUNREACH)),
        (asyncpg.InterfaceError(LOGIN), "InterfaceError"),
        (asyncpg.InternalClientError(LOGIN), "InternalClientError"),
    ],
)
def test_it_is_said_without_the_drivers_own_words(error: Exception, said: str) -> None:
    assert said in describe(error)
    assert LOGIN not in describe(error)
