"""A message as a webhook and as an e-mail takes it, and what is never in an error."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests
import requests_mock

from flowrex.errors import ConfigurationError, ServerRefused, ServerUnreachable
from flowrex.notify import mail, webhook
from flowrex.notify.message import Message
from flowrex.notify.settings import Mail
from flowrex.secret import Secret

MESSAGE = Message(
    "emergency-5-halt", "halt\r\nBcc: x@y", "line one\nline two", "2026-03-01T12:00:00+00:00"
)
ADDRESS = "https://chat.example/hook/a-secret-part"
SETTINGS = Mail(
    enabled=True,
    host="mail.example",
    port=587,
    tls="starttls",
    ca_file=None,
    user=None,
    sender="agent@example.com",
    recipients=("one@example.com", "two@example.com"),
    timeout="5s",  # type: ignore[arg-type]
)


def post(address: str = ADDRESS) -> None:
    webhook.send(MESSAGE, Secret(address), timeout_s=5)


def test_a_webhook_gets_one_text(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.post(ADDRESS, text="ok")
    post()
    assert requests_mock.last_request is not None
    assert requests_mock.last_request.json() == {"text": f"*{MESSAGE.subject}*\n{MESSAGE.text}"}


@pytest.mark.parametrize("status", [302, 400, 403, 404, 500, 503])
def test_a_webhook_that_does_not_take_it_is_an_error(
    requests_mock: requests_mock.Mocker, status: int
) -> None:
    requests_mock.post(ADDRESS, status_code=status, text="no_service")
    with pytest.raises(ServerRefused, match=f"chat.example answers {status}: no_service"):
        post()


def test_a_webhook_that_asks_for_time_is_given_it(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.post(ADDRESS, status_code=429, headers={"Retry-After": "30"})
    with pytest.raises(webhook.Later) as caught:
        post()
    assert caught.value.after_s == 30


def test_the_webhooks_address_is_in_no_error(requests_mock: requests_mock.Mocker) -> None:
    requests_mock.post(ADDRESS, exc=requests.ConnectionError(f"refused: {ADDRESS}"))
    with pytest.raises(ServerUnreachable) as caught:
        post()
    assert "a-secret-part" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("address", ["http://chat.example/x", "ftp://chat.example", "x", ""])
def test_a_webhook_that_would_send_the_secret_in_clear_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="https://"):
        post(address)


def test_an_e_mail_names_itself_the_same_each_time() -> None:
    composed = mail.compose(MESSAGE, SETTINGS, "n1")
    assert composed["Message-ID"] == "<emergency-5-halt@n1.flowrex>"
    assert composed["To"] == "one@example.com, two@example.com"
    assert composed["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    assert composed.get_content() == "line one\nline two\n"


def test_a_subject_stays_one_line() -> None:
    composed = mail.compose(MESSAGE, SETTINGS, "n1")
    assert composed["Subject"] == "halt Bcc: x@y"
    assert composed["Bcc"] is None


def test_an_e_mail_to_nobody_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="names nobody"):
        mail.compose(MESSAGE, replace(SETTINGS, recipients=None), "n1")


def test_an_e_mail_is_not_sent_in_clear_to_another_machine() -> None:
    with pytest.raises(ConfigurationError, match="not this machine"):
        mail.send(MESSAGE, replace(SETTINGS, tls="none"), None, node="n1")
