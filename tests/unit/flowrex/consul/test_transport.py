from __future__ import annotations

import inspect
import json

import consul.exceptions
import pytest
import requests

from flowrex.consul.transport import as_flowrex_error, mapped, next_index
from flowrex.errors import (
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)

ADDRESS = "http://127.0.0.1:8500"

LIBRARY = {
    consul.exceptions.ConsulException: ServerRefused,
    consul.exceptions.BadRequest: ServerRefused,
    consul.exceptions.ClientError: ServerRefused,
    consul.exceptions.ACLDisabled: PermissionRefused,
    consul.exceptions.ACLPermissionDenied: PermissionRefused,
    consul.exceptions.NotFound: NotFound,
    consul.exceptions.Timeout: ServerUnreachable,
}


def instance_of(kind: type[Exception]) -> Exception:
    if issubclass(kind, requests.exceptions.JSONDecodeError):
        return kind("it went wrong", "<html>", 0)
    return kind("it went wrong")


def exceptions_of(module: object, base: type[Exception]) -> list[type[Exception]]:
    return [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)
    ]


def test_every_exception_of_the_library_has_its_meaning() -> None:
    assert set(exceptions_of(consul.exceptions, Exception)) == set(LIBRARY)


@pytest.mark.parametrize(("raised", "meaning"), LIBRARY.items())
def test_an_exception_of_the_library_becomes_its_meaning(
    raised: type[Exception], meaning: type[FlowrexError]
) -> None:
    error = as_flowrex_error(raised("403 no"), ADDRESS)
    assert type(error) is meaning
    assert ADDRESS in error.message


@pytest.mark.parametrize(
    "raised",
    exceptions_of(requests.exceptions, requests.RequestException),
    ids=lambda e: e.__name__,
)
def test_whatever_requests_raises_means_out_of_reach(raised: type[Exception]) -> None:
    with pytest.raises(ServerUnreachable) as caught, mapped(ADDRESS):
        raise instance_of(raised)
    assert type(caught.value) is ServerUnreachable
    assert caught.value.hint


def test_a_bug_of_ours_stays_a_bug() -> None:
    with pytest.raises(KeyError), mapped(ADDRESS):
        raise KeyError("ours")


@pytest.mark.parametrize(
    ("asked", "answered", "next_one"),
    [(0, "7", 7), (7, "7", 7), (7, "9", 9), (9, "7", 0), (0, "0", 0)],
)
def test_an_index_that_goes_backwards_starts_again(
    asked: int, answered: str, next_one: int
) -> None:
    assert next_index(asked, answered) == next_one


def test_an_answer_that_is_not_json_is_not_consuls() -> None:
    with pytest.raises(ServerRefused, match="not JSON"), mapped(ADDRESS):
        json.loads("<html>")
