from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import hvac.exceptions
import pytest
import requests
import requests_mock

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.secret import Secret
from flowrex.vault import VaultClient, as_flowrex_error, mapped

ADDRESS = "http://127.0.0.1:8200"
BACKEND = f"{ADDRESS}/v1/kv/data/flowrex/backend"

LIBRARY = {
    hvac.exceptions.VaultError: ServerRefused,
    hvac.exceptions.InvalidRequest: ServerRefused,
    hvac.exceptions.Unauthorized: PermissionRefused,
    hvac.exceptions.Forbidden: PermissionRefused,
    hvac.exceptions.InvalidPath: NotFound,
    hvac.exceptions.UnsupportedOperation: ServerRefused,
    hvac.exceptions.PreconditionFailed: ServerRefused,
    hvac.exceptions.RateLimitExceeded: ServerRefused,
    hvac.exceptions.InternalServerError: ServerRefused,
    hvac.exceptions.VaultNotInitialized: ServerRefused,
    hvac.exceptions.VaultDown: ServerRefused,
    hvac.exceptions.UnexpectedError: ServerRefused,
    hvac.exceptions.BadGateway: ServerRefused,
    hvac.exceptions.ParamValidationError: ServerRefused,
}


def instance_of(kind: type[Exception]) -> Exception:
    if issubclass(kind, requests.exceptions.JSONDecodeError):
        return kind("it went wrong", "<html>", 0)
    return kind("it went wrong")


def exceptions_of(module: object, base: type[Exception]) -> list[type[Exception]]:
    return [
        kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)
    ]


@pytest.fixture
def server() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        yield mocker


@pytest.fixture
def vault() -> VaultClient:
    return VaultClient(ADDRESS, Secret("very-secret"))


def test_every_exception_of_the_library_has_its_meaning() -> None:
    assert set(exceptions_of(hvac.exceptions, Exception)) == set(LIBRARY)


@pytest.mark.parametrize(("raised", "meaning"), LIBRARY.items())
def test_an_exception_of_the_library_becomes_its_meaning(
    raised: Callable[..., Exception], meaning: type[FlowrexError]
) -> None:
    error = as_flowrex_error(raised("no", method="get", url=BACKEND), ADDRESS)
    assert type(error) is meaning
    assert "/v1/kv/data/flowrex/backend" in error.message


@pytest.mark.parametrize(
    "raised",
    exceptions_of(requests.exceptions, requests.RequestException),
    ids=lambda e: e.__name__,
)
def test_whatever_requests_raises_means_out_of_reach(raised: type[Exception]) -> None:
    with pytest.raises(ServerUnreachable) as caught, mapped(ADDRESS):
        raise instance_of(raised)
    assert type(caught.value) is ServerUnreachable


def test_a_bug_of_ours_stays_a_bug() -> None:
    with pytest.raises(KeyError), mapped(ADDRESS):
        raise KeyError("ours")


def test_without_a_token_neither_the_environment_nor_the_home_is_asked(
    server: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "of-the-environment")
    server.get(f"{ADDRESS}/v1/sys/mounts", json={"data": {}})
    VaultClient(ADDRESS).read("sys/mounts")
    assert server.last_request is not None
    assert "X-Vault-Token" not in server.last_request.headers


def test_a_secret_comes_back_as_values_that_never_print(
    server: requests_mock.Mocker, vault: VaultClient
) -> None:
    server.get(BACKEND, json={"data": {"data": {"jwt_secret_key": "k1"}, "metadata": {}}})
    found = vault.kv_read("flowrex/backend")
    assert found == {"jwt_secret_key": Secret("k1")}
    assert "k1" not in repr(found)


def test_a_secret_that_is_not_there_is_none(
    server: requests_mock.Mocker, vault: VaultClient
) -> None:
    server.get(BACKEND, status_code=404, json={"errors": []})
    assert vault.kv_read("flowrex/backend") is None


def test_a_deleted_version_is_none(server: requests_mock.Mocker, vault: VaultClient) -> None:
    server.get(BACKEND, status_code=404, json={"data": {"data": None, "metadata": {}}})
    assert vault.kv_read("flowrex/backend") is None


def test_a_secret_is_written_at_the_version_that_was_read_only(
    server: requests_mock.Mocker, vault: VaultClient
) -> None:
    server.post(BACKEND, json={"data": {"version": 4}})
    vault.kv_write("flowrex/backend", {"a": Secret("1")}, cas=3)
    assert server.last_request is not None
    assert server.last_request.json() == {"data": {"a": "1"}, "options": {"cas": 3}}


def test_what_was_sent_is_in_no_error(server: requests_mock.Mocker, vault: VaultClient) -> None:
    server.post(BACKEND, status_code=400, json={"errors": ["check-and-set did not match"]})
    with pytest.raises(ServerRefused, match="check-and-set") as caught:
        vault.kv_write("flowrex/backend", {"a": Secret("sent-secret")})
    assert "sent-secret" not in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_a_sealed_vault_says_what_to_do(server: requests_mock.Mocker, vault: VaultClient) -> None:
    server.get(BACKEND, status_code=503, json={"errors": ["Vault is sealed"]})
    with pytest.raises(ServerRefused, match="Vault is sealed") as caught:
        vault.kv_read("flowrex/backend")
    assert "unseal" in str(caught.value.hint).lower()


def test_health_is_told_without_failing_while_sealed(
    server: requests_mock.Mocker, vault: VaultClient
) -> None:
    server.get(
        f"{ADDRESS}/v1/sys/health",
        json={"initialized": True, "sealed": True, "standby": True, "version": "1.18.0"},
    )
    health = vault.health()
    assert (health.initialized, health.sealed, health.cluster_id) == (True, True, "")
    assert server.last_request is not None
    assert server.last_request.qs["sealedcode"] == ["200"]


def test_a_lease_keeps_its_id_and_hides_its_values(
    server: requests_mock.Mocker, vault: VaultClient
) -> None:
    answer = {
        "lease_id": "database/creds/backend/x",
        "lease_duration": 300,
        "data": {"password": "p1"},
    }
    server.get(f"{ADDRESS}/v1/database/creds/backend", json=answer)
    lease = vault.lease("database/creds/backend")
    assert (lease.id, lease.duration_s) == ("database/creds/backend/x", 300)
    assert lease.values == {"password": Secret("p1")}
    assert "p1" not in repr(lease)


def test_an_empty_list_is_no_error(server: requests_mock.Mocker, vault: VaultClient) -> None:
    server.register_uri("LIST", f"{ADDRESS}/v1/pki/issuers", status_code=404, json={"errors": []})
    assert vault.list("pki/issuers") == []


@pytest.mark.parametrize("address", ["", "127.0.0.1:8200", "vault", "ftp://x:1"])
def test_an_address_that_is_none_is_a_mistake_in_the_settings(address: str) -> None:
    with pytest.raises(ConfigurationError):
        VaultClient(address)
