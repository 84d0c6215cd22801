from __future__ import annotations

import inspect

import pytest
import requests
import requests_mock as mocking
import urllib3.exceptions
from nomad.api import exceptions

from flowrex.errors import (
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.nomad import NomadClient
from flowrex.nomad.transport import Transport, mapped, next_index
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


def transport(**more: object) -> Transport:
    settings = {"region": None, "namespace": "default", "timeout_s": 10.0, "verify": True}
    return Transport(ADDRESS, None, **{**settings, **more})  # type: ignore[arg-type]


def instance_of(kind: type[Exception]) -> Exception:
    if issubclass(kind, requests.exceptions.JSONDecodeError):
        return kind("it went wrong", "<html>", 0)
    return kind("it went wrong")


def answer(status: int, text: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = text.encode()
    return response


def test_the_library_has_the_exceptions_that_are_tried_here() -> None:
    assert len(LIBRARY) >= 7


@pytest.mark.parametrize("kind", [*LIBRARY, *REQUESTS], ids=lambda kind: kind.__name__)
def test_no_exception_of_the_libraries_leaves_the_client(kind: type[Exception]) -> None:
    with pytest.raises(ServerUnreachable) as caught, mapped(ADDRESS):
        raise instance_of(kind)
    assert ADDRESS in caught.value.message
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("error", URLLIB3, ids=lambda error: type(error).__name__)
def test_a_stream_that_breaks_off_is_a_server_out_of_reach(error: Exception) -> None:
    with pytest.raises(ServerUnreachable), mapped(ADDRESS):
        raise error


def test_a_bug_of_our_own_is_not_taken_for_the_server() -> None:
    with pytest.raises(KeyError), mapped(ADDRESS):
        raise KeyError("ours")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ServerRefused),
        (403, PermissionRefused),
        (404, NotFound),
        (409, ServerRefused),
        (500, ServerRefused),
        (502, ServerRefused),
    ],
)
def test_a_status_has_its_meaning_and_keeps_the_servers_words(
    status: int, kind: type[FlowrexError], requests_mock: mocking.Mocker
) -> None:
    requests_mock.get(f"{ADDRESS}/v1/job/backend", status_code=status, text="because of this")
    with pytest.raises(kind) as caught:
        NomadClient(ADDRESS).jobs.get("backend")
    assert type(caught.value) is kind
    assert f"{status}: because of this" in caught.value.message
    assert caught.value.exit_status == 6


def test_a_refused_connection_says_so_in_words(requests_mock: mocking.Mocker) -> None:
    refused = requests.exceptions.ConnectionError("[Errno 111] Connection refused")
    requests_mock.get(f"{ADDRESS}/v1/status/leader", exc=refused)
    with pytest.raises(ServerUnreachable) as caught:
        NomadClient(ADDRESS).leader()
    assert caught.value.message == f"Nomad at {ADDRESS} does not answer: connection refused"


def test_what_is_not_nomad_is_told_so(requests_mock: mocking.Mocker) -> None:
    requests_mock.get(f"{ADDRESS}/v1/status/leader", text="<html>")
    with pytest.raises(ServerRefused, match="not JSON"):
        NomadClient(ADDRESS).leader()


def test_the_token_is_sent_as_a_header_and_shown_nowhere(requests_mock: mocking.Mocker) -> None:
    requests_mock.get(f"{ADDRESS}/v1/status/leader", status_code=403, text="no")
    client = NomadClient(ADDRESS, Secret("very-secret"))
    with pytest.raises(PermissionRefused) as caught:
        client.leader()
    request = requests_mock.last_request
    assert request is not None
    assert request.headers["X-Nomad-Token"] == "very-secret"
    assert "very-secret" not in f"{request.url}{caught.value}{caught.value.hint}"


def test_the_environment_does_not_decide_behind_the_callers_back(
    monkeypatch: pytest.MonkeyPatch, requests_mock: mocking.Mocker
) -> None:
    for name in ("NOMAD_TOKEN", "NOMAD_ADDR", "NOMAD_NAMESPACE", "NOMAD_REGION"):
        monkeypatch.setenv(name, "elsewhere")
    requests_mock.get(f"{ADDRESS}/v1/status/leader", json="here")
    NomadClient(ADDRESS, namespace="ours").leader()
    request = requests_mock.last_request
    assert request is not None
    assert "X-Nomad-Token" not in request.headers
    assert request.qs == {"namespace": ["ours"]}


def test_a_blocking_query_sends_its_index_and_outwaits_the_server(
    requests_mock: mocking.Mocker,
) -> None:
    requests_mock.get(f"{ADDRESS}/v1/x", json={"a": 1}, headers={"X-Nomad-Index": "12"})
    found = transport().wait("x", 7, 32.0)
    request = requests_mock.last_request
    assert request is not None
    assert (found.value, found.index) == ({"a": 1}, 12)
    assert request.qs["index"] == ["7"]
    assert request.qs["wait"] == ["32000ms"]
    connect, read = request.timeout
    assert (connect, read) == (10.0, 32.0 + 32.0 / 16 + 10.0)


def test_the_first_question_does_not_wait(requests_mock: mocking.Mocker) -> None:
    requests_mock.get(f"{ADDRESS}/v1/x", json=[], headers={"X-Nomad-Index": "1"})
    transport().wait("x", 0, 60)
    request = requests_mock.last_request
    assert request is not None
    assert "index" not in request.qs


@pytest.mark.parametrize(
    ("previous", "header", "following"),
    [(0, "5", 5), (5, "9", 9), (9, "9", 9), (9, "3", 0), (9, None, 0), (0, "0", 1), (0, "x", 1)],
)
def test_an_index_that_goes_backwards_starts_again(
    previous: int, header: str | None, following: int
) -> None:
    assert next_index(previous, header) == following


def test_a_proxy_is_not_asked_for_this_machines_servers() -> None:
    assert transport().settings["session"].trust_env is False
    elsewhere = Transport(
        "https://nomad.example", None, region=None, namespace="default", timeout_s=1, verify=True
    )
    assert elsewhere.settings["session"].trust_env is True
    assert elsewhere.settings["verify"] is True
