from __future__ import annotations

import pytest

from app.workers.settings import load
from flowrex.errors import ConfigurationError

COMPLETE = {
    "FLOWREX_DATABASE_HOST": "10.0.0.5",
    "FLOWREX_DATABASE_CREDENTIALS": "/secrets/database.json",
    "FLOWREX_CONSUL_ADDRESS": "http://10.0.0.7:8500",
    "FLOWREX_STATE_DIR": "/alloc/state",
    "FLOWREX_AUDIT_DIR": "/alloc/audit",
}


def test_what_is_not_set_has_a_default() -> None:
    settings = load(COMPLETE)
    assert (settings.host, settings.port) == ("127.0.0.1", 8001)
    assert settings.consul.token_file is None
    assert settings.consul.grace_s == 30


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({})
    for name in COMPLETE:
        assert f"{name} is not set" in caught.value.message


def test_the_worker_needs_neither_redis_nor_the_backends_secrets() -> None:
    assert not {"FLOWREX_REDIS_HOST", "FLOWREX_SECRETS"} & set(COMPLETE)
    load(COMPLETE)
