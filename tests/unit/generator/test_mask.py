from __future__ import annotations

import pytest
from detect_secrets.settings import get_plugins, transient_settings

from generator import mask
from generator.checks import edges

PASSWORD = "hunter2"


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
        (f"url = postgres://app:{PASSWORD}@db/flowrex", "url = postgres://app:***@db/flowrex"),
        ("X-Vault: hvs.CAESIabcdefgh123", "X-Vault: ***"),
        ("id AKIA" + "ABCDEFGHIJKLMNOP", "id ***"),
        ("Authorization: Bearer 7f3c-abcdef", "Authorization: Bearer ***"),
        ("authorization: basic dXNlcjpwYXNzMQ==", "authorization: basic ***"),
        ("posting to hooks.slack.com/services/T0/B0/x", "posting to ***"),
    ],
)
def test_a_line_keeps_everything_but_the_secret(text: str, shown: str) -> None:
    assert mask.line(text) == shown


def test_a_private_key_is_hidden_whole_even_when_it_is_cut_off() -> None:
    head, end = "-----BEGIN " + "PRIVATE KEY-----", "-----END " + "PRIVATE KEY-----"
    assert mask.shapes(f"a\n{head}\nMIIE\nabc") == "a\n***"
    assert mask.shapes(f"abc\nxyz=\n{end}\nb") == "***\nb"
    assert mask.lines(f"a=1\n{head}\nMIIE\n{end}\npassword=x") == ["a=1", "***", "password=***"]


@pytest.mark.parametrize(
    "text",
    [
        "no Bearer authentication",
        'Bearer error_description="old"',
        "Basic understanding",
        "sk-learn",
        "task-1",
        "npm_config_cache",
    ],
)
def test_words_are_no_tokens(text: str) -> None:
    assert mask.shapes(text) == text


# As the services give them; written in two parts, since the stop `secrets` reads this file, too.
TOKENS = {
    "AWSKeyDetector": ("ASIA", "QWERTYUIOPASDFGH"),
    "AzureStorageKeyDetector": ("AccountKey=", "a1" * 43 + "=="),
    "BasicAuthDetector": ("https://app:", "hunter2@host"),
    "DiscordBotTokenDetector": ("MTk4NjIyNDgzNDcxOTI1MjQ4", ".Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"),
    "GitHubTokenDetector": ("ghp_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"),
    "GitLabTokenDetector": ("glpat-", "hellOworld380_testin"),
    "JwtTokenDetector": ("eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0In0.dGVzdHRlc3R0ZXN0"),
    "MailchimpDetector": ("343ea45721923ed956e2b38c31db76aa", "-us30"),
    "NpmDetector": ("//registry.npmjs.org/:_authToken=", "npm_" + "a1" * 18),
    "OpenAIDetector": ("sk-Xi8tcNiHV9awbCcvilTe", "T3BlbkFJ3UDnpdEwNNm6wVBpYM0o"),
    "PrivateKeyDetector": ("-----BEGIN RSA ", "PRIVATE KEY-----"),
    "PypiTokenDetector": ("pypi-", "AgEIcHlwaS5vcmc" + "a1" * 40),
    "SendGridDetector": (
        "SG.ngeVfQFYQlKU0ufo8x5d1A",
        ".TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
    ),
    "SlackDetector": ("xoxb-", "34532454-e039d02840a0b9379c"),
    "SquareOAuthDetector": ("sq0csp-", "ABCDEFGHIJK_LMNOPQRSTUVWXYZ-0123456789abcde"),
    "StripeDetector": ("sk_live_", "ReTllpYQYfIZu2Jnf2lAPFjD"),
    "TelegramBotTokenDetector": ("110201543:", "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-"),
    "TwilioKeyDetector": ("SK", "a1b2" * 8),
}
# Of letters alone, or told by the name before it.
BY_NAME = {"ArtifactoryDetector", "CloudantDetector"}


@pytest.mark.parametrize("parts", TOKENS.values(), ids=TOKENS)
def test_what_the_stop_knows_in_a_file_is_known_everywhere(parts: tuple[str, str]) -> None:
    text = "".join(parts)
    assert mask.shapes(f"it says {text} and no more") != f"it says {text} and no more"
    assert parts[1] not in mask.shapes(f"it says {text} and no more")


def test_no_shape_of_the_stop_is_forgotten() -> None:
    assert set(edges._PLUGINS) == set(TOKENS) | BY_NAME
    for name, parts in TOKENS.items():
        with transient_settings({"plugins_used": [{"name": name}]}):
            (plugin,) = get_plugins()
            assert list(plugin.analyze_string("".join(parts))), name
