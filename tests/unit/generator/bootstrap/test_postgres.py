from __future__ import annotations

import inspect

import asyncpg
import asyncpg.exceptions
import pytest

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.secret import Secret
from generator.bootstrap import postgres_backup, postgres_plan
from generator.bootstrap.postgres import Server, as_flowrex_error, mapped

PASSWORD = "very-secret"

REFUSALS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError)


def exceptions_of_the_library() -> list[type[Exception]]:
    base: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError)
    return [
        kind
        for _, kind in inspect.getmembers(asyncpg.exceptions, inspect.isclass)
        if issubclass(kind, base)
    ]


def test_every_exception_of_the_library_is_one_of_three() -> None:
    for kind in exceptions_of_the_library():
        error = as_flowrex_error(kind("no"))
        if issubclass(kind, REFUSALS):
            assert type(error) is PermissionRefused, kind
        elif issubclass(kind, asyncpg.PostgresError):
            assert type(error) is ServerRefused, kind
        else:
            assert type(error) is ServerUnreachable, kind


@pytest.mark.parametrize("raised", [ConnectionRefusedError("no"), TimeoutError(), OSError("no")])
def test_a_network_that_fails_means_out_of_reach(raised: Exception) -> None:
    with pytest.raises(ServerUnreachable) as caught, mapped():
        raise raised
    assert type(caught.value) is ServerUnreachable


def test_a_bug_of_ours_stays_a_bug() -> None:
    with pytest.raises(KeyError), mapped():
        raise KeyError("ours")


@pytest.mark.parametrize(
    ("dsn", "meaning"),
    [
        (f"postgresql://admin:{PASSWORD}@127.0.0.1:1/postgres", ServerUnreachable),
        (f"postgresql://admin:{PASSWORD}@[/x", ConfigurationError),
        (f"postgresql://admin:{PASSWORD}@host:port/x", ConfigurationError),
    ],
)
def test_no_password_in_an_error(dsn: str, meaning: type[FlowrexError]) -> None:
    with pytest.raises(meaning) as caught:
        Server(Secret(dsn))
    assert "very-secret" not in str(caught.value) + str(caught.value.hint)
    assert caught.value.__suppress_context__ or "very-secret" not in str(caught.value.__context__)


def wishes(database: str) -> tuple[postgres_plan.Wish, ...]:
    return (
        *postgres_plan.cluster_wishes(database),
        *postgres_plan.database_wishes(database),
        *postgres_backup.cluster_wishes(),
        *postgres_backup.database_wishes(database),
    )


def test_every_wish_has_a_name_of_its_own() -> None:
    names = [wish.name for wish in wishes("flowrex")]
    assert len(names) == len(set(names))


def test_nothing_is_ever_dropped() -> None:
    for wish in wishes("flowrex"):
        assert not any("DROP" in statement.upper() for statement in wish.statements)


def test_the_database_is_the_environments() -> None:
    statements = " ".join(
        statement for wish in wishes("flowrex_two") for statement in wish.statements
    )
    assert "CREATE DATABASE flowrex_two " in statements
    assert "ON DATABASE flowrex " not in statements
