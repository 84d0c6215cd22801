from __future__ import annotations

import pytest

from generator import mask


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "passwd", "JWT_SECRET_KEY", "api_key", "API_TOKEN", "SENTRY_DSN", "signingKey"],
)
def test_a_name_that_promises_a_secret_hides_its_value(name: str) -> None:
    assert mask.value(name, "hunter2") == mask.MASK


@pytest.mark.parametrize("name", ["LOG_LEVEL", "KEYBOARD", "monkey", "FLOWREX_LISTEN"])
def test_another_name_does_not(name: str) -> None:
    assert mask.value(name, "hunter2") == "hunter2"


@pytest.mark.parametrize(
    "place",
    [
        "/secrets/app.json",
        "../secrets/app.json",
        "secrets/app.json",
        "${NOMAD_SECRETS_DIR}/app.json",
        "${NOMAD_SECRETS_DIR}",
        "kv/data/x",
        "true",
        "",
    ],
)
def test_where_a_secret_is_may_be_shown(place: str) -> None:
    assert mask.value("FLOWREX_SECRETS", place) == place


@pytest.mark.parametrize(
    "secret", ["/x9Yk3vQ2bTzRr8", "/x9Yk/3vQ2b+Tz==", "${A}hunter2", "secrets/a b", "true\n"]
)
def test_a_secret_that_begins_like_a_place_is_none(secret: str) -> None:
    assert mask.value("DB_PASSWORD", secret) == mask.MASK


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password = hunter2", "password = ***"),
        ('+  "api_token": "abc",', '+  "api_token": ***,'),
        ("-SECRET=abc", "-SECRET=***"),
        ("export DB_PASSWORD='a b'", "export DB_PASSWORD=***"),
        ("log_level = debug", "log_level = debug"),
        ('{{ with secret "kv/data/x" }}', '{{ with secret "kv/data/x" }}'),
        ("password = {{ .Data.password }}", "password = {{ .Data.password }}"),
        ("url = postgres://app:hunter2@db/flowrex", "url = postgres://app:***@db/flowrex"),
        ("X-Vault: hvs.CAESIabcdefgh123", "X-Vault: ***"),
        ("id AKIAABCDEFGHIJKLMNOP", "id ***"),
    ],
)
def test_a_line_keeps_everything_but_the_secret(text: str, shown: str) -> None:
    assert mask.line(text) == shown


def test_a_private_key_is_hidden_whole_even_when_it_is_cut_off() -> None:
    head = "-----BEGIN " + "PRIVATE KEY-----"
    assert mask.shapes(f"a\n{head}\nMIIE\nabc") == "a\n***"
