from __future__ import annotations

import inspect

import pytest
import requests
import requests_mock as mocking
import urllib3.exceptions
from nomad.api import exceptions

from flowrex.errors import PermissionRefused, ServerUnreachable
from flowrex.nomad import NomadClient
from flowrex.nomad.library import Library
from flowrex.secret import Secret

ADDRESS = "http://127.0.0.1:4646"
# Names that the library's module only imports don't count.
LIBRARY = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, Exception) and kind.__module__ == exceptions.__name__
]
REQUESTS = [
    kind
    for _, kind in inspect.getmembers(requests.exceptions, inspect.isclass)
    if issubclass(kind, requests.exceptions.RequestException)
]
URLLIB3 = [
    urllib3.exceptions.ProtocolError("cut"),
    urllib3.exceptions.IncompleteRead(1, 2),
    urllib3.exceptions.DecodeError("odd"),
]


def library(address: str = ADDRESS) -> Library:
    found: Library = NomadClient(address).transport.library
    return found


def instance_of(kind: type[Exception]) -> Exception:
    if issubclass(kind, requests.exceptions.JSONDecodeError):
        return kind("it went wrong", "<html>", 0)
    return kind("it went wrong")


def test_the_library_has_the_exceptions_that_are_tried_here() -> None:
    assert len(LIBRARY) >= 7


@pytest.mark.parametrize("kind", [*LIBRARY, *REQUESTS], ids=lambda kind: kind.__name__)
def test_no_exception_of_the_libraries_leaves_the_client(kind: type[Exception]) -> None:
    with pytest.raises(ServerUnreachable) as caught, library().mapped():
        raise instance_of(kind)
    assert ADDRESS in caught.value.message
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("error", URLLIB3, ids=lambda error: type(error).__name__)
def test_an_answer_that_breaks_off_is_a_server_out_of_reach(error: Exception) -> None:
    with pytest.raises(ServerUnreachable), library().mapped():
        raise error


def test_a_bug_of_our_own_is_not_taken_for_the_server() -> None:
    with pytest.raises(KeyError), library().mapped():
        raise KeyError("ours")


def test_the_token_is_sent_as_a_header_and_shown_nowhere(requests_mock: mocking.Mocker) -> None:
    requests_mock.post(f"{ADDRESS}/v1/deployment/fail/d1", status_code=403, text="no")
    client = NomadClient(ADDRESS, Secret("very-secret"))
    with pytest.raises(PermissionRefused) as caught:
        client.deployments.fail("d1")
    request = requests_mock.last_request
    assert request is not None
    assert request.headers["X-Nomad-Token"] == "very-secret"
    assert "very-secret" not in f"{request.url}{caught.value}{caught.value.hint}"


def test_the_environment_does_not_decide_behind_the_callers_back(
    monkeypatch: pytest.MonkeyPatch, requests_mock: mocking.Mocker
) -> None:
    for name in ("NOMAD_TOKEN", "NOMAD_ADDR", "NOMAD_NAMESPACE", "NOMAD_REGION"):
        monkeypatch.setenv(name, "elsewhere")
    requests_mock.post(f"{ADDRESS}/v1/deployment/fail/d1", json={})
    NomadClient(ADDRESS, namespace="ours").deployments.fail("d1")
    request = requests_mock.last_request
    assert request is not None
    assert "X-Nomad-Token" not in request.headers
    assert "elsewhere" not in request.url


def test_a_node_is_drained_and_given_back(requests_mock: mocking.Mocker) -> None:
    requests_mock.post(f"{ADDRESS}/v1/node/n1/drain", json={})
    nodes = NomadClient(ADDRESS).nodes
    nodes.drain("n1", deadline_s=2)
    nodes.undrain("n1")
    first, second = (request.json() for request in requests_mock.request_history)
    assert first["DrainSpec"] == {"Deadline": 2_000_000_000, "IgnoreSystemJobs": True}
    assert second["MarkEligible"] is True


def test_a_proxy_is_not_asked_for_this_machines_servers() -> None:
    assert library().session.trust_env is False
    assert library("https://nomad.example").session.trust_env is True
