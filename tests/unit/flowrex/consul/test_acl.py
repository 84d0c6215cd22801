from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests_mock

from flowrex.consul import ConsulClient
from flowrex.consul.acl import ConsulAcl
from flowrex.errors import PermissionRefused
from flowrex.secret import Secret

ADDRESS = "http://127.0.0.1:8500"
ACCESSOR = "00000000-0000-4000-8000-000000000001"
TOKEN = f"{ADDRESS}/v1/acl/token/{ACCESSOR}"
POLICIES = f"{ADDRESS}/v1/acl/policies"
UNKNOWN = {"status_code": 403, "text": "ACL not found"}
FOUND = {"json": {"AccessorID": ACCESSOR, "SecretID": "s"}}


@pytest.fixture
def server() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        yield mocker


@pytest.fixture
def acl() -> ConsulAcl:
    return ConsulAcl(ConsulClient(ADDRESS, Secret("management")))


def test_what_is_there_is_asked_of_a_leader_that_knows(
    server: requests_mock.Mocker, acl: ConsulAcl
) -> None:
    server.get(f"{ADDRESS}/v1/acl/policy/name/operator", status_code=404)
    assert acl.policy("operator") is None
    assert server.last_request is not None
    assert server.last_request.qs == {"consistent": ["1"]}


def test_a_token_that_nobody_knows_is_not_there(
    server: requests_mock.Mocker, acl: ConsulAcl
) -> None:
    server.get(TOKEN, **UNKNOWN)  # type: ignore[arg-type]
    server.get(POLICIES, json=[])
    assert acl.token(ACCESSOR) is None


def test_a_server_that_did_not_know_who_asks_is_asked_again(
    server: requests_mock.Mocker, acl: ConsulAcl
) -> None:
    server.get(TOKEN, [UNKNOWN, FOUND])
    server.get(POLICIES, json=[])
    found = acl.token(ACCESSOR)
    assert found is not None
    assert found["AccessorID"] == ACCESSOR


def test_who_may_read_nothing_is_refused(server: requests_mock.Mocker, acl: ConsulAcl) -> None:
    server.get(TOKEN, **UNKNOWN)  # type: ignore[arg-type]
    server.get(POLICIES, status_code=403, text="Permission denied")
    with pytest.raises(PermissionRefused):
        acl.token(ACCESSOR)
