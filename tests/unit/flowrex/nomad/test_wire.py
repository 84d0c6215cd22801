from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from flowrex.errors import (
    ConfigurationError,
    FlowrexError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.nomad import wire
from flowrex.nomad.wire import Wire, authorities
from tests.unit.flowrex.nomad.stub import Stub


def plain(address: str, **environ: str) -> Wire:
    return Wire(address, {"X-Nomad-Token": "a-token"}, timeout_s=5, environ=environ)


def test_a_request_carries_its_headers_and_its_body(nomad: Stub) -> None:
    nomad.tell("PUT", "/v1/x", {"fine": True}, headers={"X-Nomad-Index": "7"})
    reply = plain(nomad.address).request("PUT", "/v1/x?a=1", b'{"b": 2}')
    assert (reply.body, reply.headers.get("x-nomad-index")) == (b'{"fine": true}', "7")
    assert nomad.last.query == {"a": ["1"]}
    assert nomad.last.json() == {"b": 2}
    assert nomad.last.headers["X-Nomad-Token"] == "a-token"
    assert nomad.last.headers["Content-Type"] == "application/json"


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
    status: int, kind: type[FlowrexError], nomad: Stub
) -> None:
    nomad.tell("GET", "/v1/x", b"because\n  of this", status=status)
    with pytest.raises(kind) as caught:
        plain(nomad.address).request("GET", "/v1/x")
    assert type(caught.value) is kind
    assert f"{status}: because of this" in caught.value.message
    assert caught.value.exit_status == 6
    assert "a-token" not in f"{caught.value.message}{caught.value.hint}"


def test_servers_that_elect_a_leader_are_asked_again_by_the_person(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/x", b"No cluster leader", status=500)
    with pytest.raises(ServerRefused) as caught:
        plain(nomad.address).request("GET", "/v1/x")
    assert "try again" in (caught.value.hint or "")


def test_a_refused_connection_says_so_in_words() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(ServerUnreachable) as caught:
            plain(address).request("GET", "/v1/x")
    assert caught.value.message == f"Nomad at {address} does not answer: connection refused"


def test_a_server_that_accepts_and_says_nothing_takes_too_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match="it took too long"):
            plain(address).request("GET", "/v1/x", read_s=0.05)


def test_an_answer_that_is_cut_off_is_none(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/x", b"{}", cut=True)
    with pytest.raises(ServerUnreachable, match="the connection was cut"):
        plain(nomad.address).request("GET", "/v1/x", read_s=1)


@pytest.mark.parametrize(
    "error",
    [
        http.client.BadStatusLine("x"),
        http.client.IncompleteRead(b"", 2),
        http.client.RemoteDisconnected("Remote end closed connection without response"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError("timed out"),
        socket.gaierror(-2, "Name or service not known"),
        ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_standard_library_raises_is_a_server_out_of_reach(error: Exception) -> None:
    with pytest.raises(ServerUnreachable) as caught, wire.errors("http://there"):
        raise error
    assert "http://there" in caught.value.message
    assert caught.value.__cause__ is error


def test_a_bug_of_our_own_is_not_taken_for_the_server() -> None:
    with pytest.raises(KeyError), wire.errors("http://there"):
        raise KeyError("ours")


def test_a_stream_that_is_refused_is_so_at_once(nomad: Stub) -> None:
    with pytest.raises(NotFound):
        plain(nomad.address).stream("/v1/nothing")


def test_a_stream_gives_all_that_comes(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/log", b"one\ntwo\n")
    assert b"".join(plain(nomad.address).stream("/v1/log")) == b"one\ntwo\n"


@pytest.mark.parametrize("address", ["nomad:4646", "ftp://nomad", "http://", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="no address of a Nomad"):
        plain(address)


@pytest.mark.parametrize("token", ["a\nb", "a\x00", "é"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Wire("http://127.0.0.1:1", {"X-Nomad-Token": token}, timeout_s=1)
    assert token not in caught.value.message


def test_a_plain_request_is_relayed_by_the_proxy_that_is_named(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/x", {})
    plain("http://nomad.example:4646", http_proxy=nomad.address).request("GET", "/v1/x")
    assert len(nomad.asked) == 1


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"https_proxy": "http://proxy:1"},
        {"HTTP_PROXY": "http://proxy:1", "no_proxy": "example"},
    ],
    ids=["none", "another scheme's", "an exception"],
)
def test_no_proxy_is_asked_where_none_is_meant(environ: dict[str, str]) -> None:
    assert wire._proxy("http", "nomad.example", environ) is None


def test_a_proxy_is_not_asked_for_this_machines_servers(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/x", {})
    plain(nomad.address, http_proxy="http://127.0.0.1:9").request("GET", "/v1/x")


def test_both_ways_to_nomad_trust_the_same_authorities() -> None:
    assert authorities(False, {"REQUESTS_CA_BUNDLE": "/a"}) is False
    assert authorities("/own", {"REQUESTS_CA_BUNDLE": "/a"}) == "/own"
    assert authorities(True, {"REQUESTS_CA_BUNDLE": "/a"}) == "/a"
    assert authorities(True, {}) in (True, ssl.get_default_verify_paths().cafile)


def test_authorities_that_can_not_be_read_are_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="/no/such/file"):
        Wire("https://nomad.example", {}, timeout_s=1, verify="/no/such/file")


def test_what_only_reads_does_not_import_the_library() -> None:
    code = (
        "import sys; from flowrex.nomad import NomadClient; NomadClient('http://127.0.0.1:1');"
        "print(sorted({'nomad', 'requests', 'urllib3'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    assert done.stdout.strip() == "[]"
