from __future__ import annotations

import pytest

from flowrex.errors import PermissionRefused, ServerRefused
from flowrex.nomad import NomadClient
from flowrex.nomad.transport import Transport, next_index
from flowrex.nomad.wire import Reply
from flowrex.secret import Secret
from tests.unit.flowrex.nomad.stub import Stub


def transport(address: str) -> Transport:
    return Transport(address, None, region=None, namespace="default", timeout_s=10.0, verify=True)


def test_what_is_not_nomad_is_told_so(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/status/leader", b"<html>")
    with pytest.raises(ServerRefused, match="not JSON"):
        NomadClient(nomad.address).leader()


def test_the_token_is_sent_as_a_header_and_shown_nowhere(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/status/leader", b"no", status=403)
    with pytest.raises(PermissionRefused) as caught:
        NomadClient(nomad.address, Secret("very-secret")).leader()
    assert nomad.last.headers["X-Nomad-Token"] == "very-secret"
    assert "very-secret" not in f"{nomad.last.query}{caught.value}{caught.value.hint}"


def test_the_environment_does_not_decide_behind_the_callers_back(
    monkeypatch: pytest.MonkeyPatch, nomad: Stub
) -> None:
    for name in ("NOMAD_TOKEN", "NOMAD_ADDR", "NOMAD_NAMESPACE", "NOMAD_REGION"):
        monkeypatch.setenv(name, "elsewhere")
    nomad.tell("GET", "/v1/status/leader", "here")
    NomadClient(nomad.address, namespace="ours").leader()
    assert "X-Nomad-Token" not in nomad.last.headers
    assert nomad.last.query == {"namespace": ["ours"]}


def test_a_region_is_asked_for_where_one_is_named(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/status/leader", "here")
    NomadClient(nomad.address, region="eu").leader()
    assert nomad.last.query["region"] == ["eu"]


def test_what_stands_in_a_path_can_not_leave_it(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/job/a%3Fb%20c", {})
    assert transport(nomad.address).get("job/a?b c") == {}


def test_a_blocking_query_sends_its_index_and_outwaits_the_server(
    nomad: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    nomad.tell("GET", "/v1/x", {"a": 1}, headers={"X-Nomad-Index": "12"})
    waited: list[float | None] = []
    asking = transport(nomad.address)
    send = asking._wire.request

    def noted(method: str, target: str, body: bytes | None, *, read_s: float | None) -> Reply:
        waited.append(read_s)
        return send(method, target, body, read_s=read_s)

    monkeypatch.setattr(asking._wire, "request", noted)
    found = asking.wait("x", 7, 32.0)
    assert (found.value, found.index) == ({"a": 1}, 12)
    assert nomad.last.query["index"] == ["7"]
    assert nomad.last.query["wait"] == ["32000ms"]
    assert waited == [32.0 + 32.0 / 16 + 10.0]


def test_the_first_question_does_not_wait(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/x", [], headers={"X-Nomad-Index": "1"})
    transport(nomad.address).wait("x", 0, 60)
    assert "index" not in nomad.last.query


@pytest.mark.parametrize(
    ("previous", "header", "following"),
    [(0, "5", 5), (5, "9", 9), (9, "9", 9), (9, "3", 0), (9, None, 0), (0, "0", 1), (0, "x", 1)],
)
def test_an_index_that_goes_backwards_starts_again(
    previous: int, header: str | None, following: int
) -> None:
    assert next_index(previous, header) == following
