from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.settings import load, load_database, load_secrets
from flowrex.errors import ConfigurationError

COMPLETE = {
    "FLOWREX_DATABASE_HOST": "10.0.0.5",
    "FLOWREX_DATABASE_CREDENTIALS": "/secrets/database.json",
    "FLOWREX_SECRETS": "/secrets/app.json",
    "FLOWREX_REDIS_HOST": "10.0.0.6",
    "FLOWREX_CONSUL_ADDRESS": "http://10.0.0.7:8500",
    "FLOWREX_STATE_DIR": "/alloc/state",
    "FLOWREX_AUDIT_DIR": "/alloc/audit",
}


def test_what_is_not_set_has_a_default() -> None:
    settings = load(COMPLETE)
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.workers == 2
    assert settings.database.port == 5432
    assert settings.database.name == "flowrex"
    assert settings.redis_port == 6379


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({})
    for name in COMPLETE:
        assert f"{name} is not set" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FLOWREX_WORKERS", "0", "a whole number from 1 to 64"),
        ("FLOWREX_WORKERS", "two", "a whole number from 1 to 64"),
        ("FLOWREX_WORKERS", "²", "a whole number from 1 to 64"),
        ("FLOWREX_DATABASE_PORT", "70000", "a whole number from 1 to 65535"),
        ("FLOWREX_DRAIN_SECONDS", "-1", "seconds from 0 to 600"),
        ("FLOWREX_DRAIN_SECONDS", "nan", "seconds from 0 to 600"),
        ("FLOWREX_GRACEFUL_SECONDS", "inf", "seconds from 0 to 600"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error, critical"),
        ("FLOWREX_DATABASE_SSLMODE", "maybe", "one of disable, allow, prefer"),
        ("FLOWREX_EMERGENCY_GRACE_SECONDS", "-1", "seconds from 0 to 600"),
        ("FLOWREX_CONSUL_ADDRESS", "10.0.0.7:8500", "http://HOST:PORT"),
        ("FLOWREX_LISTEN", "8000", "HOST:PORT"),
        ("FLOWREX_LISTEN", "127.0.0.1:99999", "HOST:PORT"),
    ],
)
def test_a_wrong_value_is_shown_with_what_was_expected(
    name: str, value: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({**COMPLETE, name: value})
    assert f"{name} is {value!r}; expected {expected}" in caught.value.message


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:8080", "::1", 8080), ("localhost:1", "localhost", 1)],
)
def test_the_address_to_listen_on(listen: str, host: str, port: int) -> None:
    settings = load({**COMPLETE, "FLOWREX_LISTEN": listen})
    assert (settings.host, settings.port) == (host, port)


def test_migrations_need_the_database_alone() -> None:
    database = load_database(
        {"FLOWREX_DATABASE_HOST": "db", "FLOWREX_DATABASE_CREDENTIALS": "/secrets/d.json"}
    )
    assert database.host == "db"


def test_secrets_come_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "app.json"
    file.write_text(
        json.dumps({"jwt_secret_key": "k", "redis_username": "u", "redis_password": "p"})
    )
    secrets = load_secrets(file)
    assert secrets.redis_username == "u"
    assert secrets.redis_password.reveal() == "p"
    assert "'p'" not in repr(secrets)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"jwt_secret_key": "hush", "redis_username": "hush"}', "has no redis_password"),
        (b'{"jwt_secret_key": "hush", "redis_us', "is not a JSON document"),
        (b'["hush"]', "is not a JSON object"),
        (b"\xff\xfe hush", "is not a JSON document"),
        (
            b'{"jwt_secret_key": "hush", "redis_username": "", "redis_password": 7}',
            "has no redis_username, redis_password",
        ),
    ],
)
def test_a_wrong_file_of_secrets_is_never_quoted(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "app.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_secrets(file)
    assert said in caught.value.message
    assert str(file) in caught.value.message
    assert "hush" not in caught.value.message
    assert caught.value.__cause__ is None


def test_a_missing_file_of_secrets_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_secrets(tmp_path / "app.json")
