from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import requests_mock

from flowrex.consul import ConsulClient
from flowrex.errors import (
    ConfigurationError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.secret import Secret

ADDRESS = "http://127.0.0.1:8500"
KEY = f"{ADDRESS}/v1/kv/flowrex/emergency"


@pytest.fixture
def server() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        yield mocker


def client(token: str | None = None) -> ConsulClient:
    return ConsulClient(ADDRESS, Secret(token) if token else None, timeout_s=5)


def test_the_token_given_wins_over_the_environment(
    server: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "of-the-environment")
    server.get(KEY, status_code=404, headers={"X-Consul-Index": "1"})
    client("given").kv_get("flowrex/emergency")
    assert server.last_request is not None
    assert server.last_request.headers["X-Consul-Token"] == "given"


def test_without_a_token_the_environment_is_not_asked(
    server: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "of-the-environment")
    server.get(KEY, status_code=404, headers={"X-Consul-Index": "1"})
    client().kv_get("flowrex/emergency")
    assert server.last_request is not None
    assert "X-Consul-Token" not in server.last_request.headers


def test_a_blocking_query_may_take_its_wait_a_sixteenth_and_the_timeout(
    server: requests_mock.Mocker,
) -> None:
    server.get(KEY, json=[], headers={"X-Consul-Index": "8"})
    client().kv_wait("flowrex/emergency", 7, 32)
    assert server.last_request is not None
    assert server.last_request.qs == {
        "consistent": ["1"], "index": ["7"], "wait": ["32000ms"],
    }  # fmt: skip
    assert server.last_request.timeout > 32 + 2


def test_a_key_is_never_read_from_a_leader_that_has_not_caught_up(
    server: requests_mock.Mocker,
) -> None:
    # Without a leader's word that it is one, a switch that is on could be read as not there.
    server.get(KEY, json=[], headers={"X-Consul-Index": "8"})
    client().kv_get("flowrex/emergency")
    assert server.last_request is not None
    assert server.last_request.qs == {"consistent": ["1"]}


def test_a_plain_read_does_not_wait(server: requests_mock.Mocker) -> None:
    server.get(KEY, status_code=404, headers={"X-Consul-Index": "8"})
    assert client().kv_wait("flowrex/emergency", 0, 32) == (None, 8)
    assert server.last_request is not None
    assert server.last_request.timeout == 5
    assert server.last_request.qs == {"consistent": ["1"]}


def test_an_index_that_went_backwards_is_answered_as_zero(server: requests_mock.Mocker) -> None:
    server.get(KEY, status_code=404, headers={"X-Consul-Index": "3"})
    assert client().kv_wait("flowrex/emergency", 7, 1) == (None, 0)


@pytest.mark.parametrize(
    ("status", "text", "meaning"),
    [
        (400, "Invalid", ServerRefused),
        (401, "ACL support disabled", PermissionRefused),
        (403, "Permission denied", PermissionRefused),
        (429, "Too many", ServerRefused),
        (500, "No cluster leader", ServerRefused),
        (503, "down", ServerRefused),
    ],
)
def test_a_refusal_has_its_meaning_and_the_servers_words(
    server: requests_mock.Mocker, status: int, text: str, meaning: type[ServerUnreachable]
) -> None:
    server.get(KEY, status_code=status, text=text)
    with pytest.raises(ServerUnreachable, match=text) as caught:
        client().kv_get("flowrex/emergency")
    assert type(caught.value) is meaning


def test_an_answer_that_is_no_json_is_the_servers_fault(server: requests_mock.Mocker) -> None:
    server.get(KEY, text="<html>", headers={"X-Consul-Index": "1"})
    with pytest.raises(ServerRefused):
        client().kv_get("flowrex/emergency")


def test_an_ended_session_is_not_found(server: requests_mock.Mocker) -> None:
    server.put(f"{ADDRESS}/v1/session/renew/gone", status_code=404, text="not found")
    with pytest.raises(NotFound):
        client().session_renew("gone")


def test_a_server_that_is_not_there_is_out_of_reach(server: requests_mock.Mocker) -> None:
    server.get(KEY, exc=requests.ConnectionError("[Errno 111] Connection refused"))
    with pytest.raises(ServerUnreachable, match="Connection refused"):
        client().kv_get("flowrex/emergency")


def test_an_instance_without_an_address_has_its_nodes(server: requests_mock.Mocker) -> None:
    service = {"ID": "b-1", "Address": "", "Port": 8000, "Tags": None}
    node = {"Node": "node-1", "Address": "10.0.0.7"}
    server.get(
        f"{ADDRESS}/v1/health/service/backend",
        json=[{"Service": service, "Node": node}],
        headers={"X-Consul-Index": "1"},
    )
    (instance,) = client().services("backend", passing_only=True)
    assert (instance.address, instance.port, instance.tags) == ("10.0.0.7", 8000, ())
    assert server.last_request is not None
    assert "passing" in server.last_request.query


@pytest.mark.parametrize("address", ["", "127.0.0.1:8500", "consul", "ftp://x:1"])
def test_an_address_that_is_none_is_a_mistake_in_the_settings(address: str) -> None:
    with pytest.raises(ConfigurationError):
        ConsulClient(address)


def test_no_token_in_an_error(server: requests_mock.Mocker) -> None:
    server.get(KEY, status_code=403, text="Permission denied")
    with pytest.raises(PermissionRefused) as caught:
        client("very-secret").kv_get("flowrex/emergency")
    assert "very-secret" not in repr(caught.value) + str(caught.value.hint)


def test_an_answers_encoding_is_not_guessed(
    server: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guess(_: requests.Response) -> str:
        raise AssertionError("it was guessed")

    monkeypatch.setattr(requests.Response, "apparent_encoding", property(guess))
    server.get(f"{ADDRESS}/v1/status/leader", content=b'"caf\xc3\xa9:8300"')
    assert client().leader() == "café:8300"
