"""What the entry is told: networks that are networks, and two ports."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.environment import Environment, load

ROOT = Path(__file__).parents[4]


def read(*settings: str) -> Environment:
    return load(ROOT, "prod", overrides=settings, environ={"FLOWREX_DEV_DIR": "/nonexistent"})


@pytest.mark.parametrize("name", ["metrics_allow", "ops_allow", "tls.plain_allow"])
@pytest.mark.parametrize(
    "entry", ["bad", "10.0.0.0/99", "10.0.0.1/8", "10.0.0.0/8; } evil", "", "10.0.0.0/8 1.2.3.4"]
)
def test_what_is_no_network_is_refused_with_its_place(name: str, entry: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f'nginx.{name}=["192.0.2.7", "{entry}"]')
    assert f"an entry of nginx.{name} is {entry!r}, expected a network" in str(caught.value)


def test_networks_and_addresses_of_both_kinds_are_taken() -> None:
    found = read('nginx.ops_allow=["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"]')
    assert found.nginx.ops_allow == ("192.0.2.7", "10.0.0.0/8", "2001:db8::/32")


def test_one_port_is_not_enough_for_two() -> None:
    with pytest.raises(ConfigurationError, match=r"nginx\.port is 443, and nginx\.tls\.port"):
        read("nginx.port=443")
    assert read("nginx.port=443", "nginx.tls.enabled=false").nginx.port == 443
