from __future__ import annotations

from pathlib import Path

import pytest

from flowrex.errors import ConfigurationError
from generator.bootstrap.resolve import target_of
from generator.environment import Environment, load

PASSWORD = "very-secret"

PROJECT = Path(__file__).parents[4]
EVERYTHING = {
    "CONSUL_HTTP_TOKEN": "c",
    "VAULT_TOKEN": "v",
    "NOMAD_TOKEN": "n",
    "FLOWREX_DATABASE_ADMIN_URL": f"postgresql://admin:{PASSWORD}@db/postgres",
}


@pytest.fixture(scope="module")
def prod() -> Environment:
    return load(PROJECT, "prod", environ={})


@pytest.mark.parametrize("missing", EVERYTHING)
def test_every_right_that_is_missing_is_named(prod: Environment, missing: str) -> None:
    environ = {name: value for name, value in EVERYTHING.items() if name != missing}
    with pytest.raises(ConfigurationError, match=missing):
        target_of(prod, PROJECT, environ=environ)


def test_before_nomad_its_token_is_not_asked_for(prod: Environment) -> None:
    environ = {name: value for name, value in EVERYTHING.items() if name != "NOMAD_TOKEN"}
    assert target_of(prod, PROJECT, before_nomad=True, environ=environ).nomad is None


def test_nomads_keys_are_at_its_address_unless_said_otherwise(prod: Environment) -> None:
    target = target_of(prod, PROJECT, environ=EVERYTHING)
    assert target.nomad_jwks_url == f"{prod.servers.nomad}/.well-known/jwks.json"
    target = target_of(prod, PROJECT, jwks_url="https://keys", environ=EVERYTHING)
    assert target.nomad_jwks_url == "https://keys"


def test_a_target_shows_no_secret(prod: Environment) -> None:
    assert "very-secret" not in repr(target_of(prod, PROJECT, environ=EVERYTHING))


def test_a_local_environment_without_a_cluster_says_how_to_have_one(tmp_path: Path) -> None:
    environ = {"FLOWREX_DEV_DIR": str(tmp_path)}
    dev = load(PROJECT, "dev", environ=environ)
    with pytest.raises(ConfigurationError) as caught:
        target_of(dev, PROJECT, environ=environ)
    assert "dev up" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []
