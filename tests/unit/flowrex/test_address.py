"""What is an address of a server, and what is none."""

from __future__ import annotations

import pytest

from flowrex import address
from flowrex.consul import ConsulClient
from flowrex.errors import ConfigurationError
from flowrex.nomad import NomadClient
from flowrex.nomad.wire import _proxy
from flowrex.secret import Secret
from flowrex.vault import VaultClient

NONE = [
    "",
    "127.0.0.1:4646",
    "ftp://a:1",
    "http://",
    "http://:1",
    "http://a:99999",
    "http://a:0",
    "http://a:b",
    "http://[::1",
    "http://a b:1",
    "http://a:1\n",
]


@pytest.mark.parametrize("text", ["http://a", "https://a:65535/x", "http://[::1]:1"])
def test_with_a_port_or_without_it_is_one(text: str) -> None:
    assert address.split(text) is not None
    address.check(text)


@pytest.mark.parametrize("text", NONE)
def test_what_no_server_can_have_is_none(text: str) -> None:
    assert address.split(text) is None
    with pytest.raises(ValueError, match="no address of a server"):
        address.check(text)


@pytest.mark.parametrize("text", NONE)
def test_no_client_is_made_for_what_is_none(text: str) -> None:
    for client in (ConsulClient, NomadClient, VaultClient):
        with pytest.raises(ConfigurationError, match="is no address of a"):
            client(text, Secret("x"))


def test_a_proxy_that_is_none_is_told_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match="named for http ") as caught:
        _proxy("http", "a", {"http_proxy": "http://u:hidden@p:99999"})  # pragma: allowlist secret
    assert "hidden" not in str(caught.value)
