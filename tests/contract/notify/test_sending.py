"""Messages on the wire: a real mail server with TLS, a real webhook."""

from __future__ import annotations

import base64
import ssl
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from flowrex.errors import ServerRefused, ServerUnreachable
from flowrex.notify import mail, webhook
from flowrex.notify.message import Message
from flowrex.notify.settings import Mail
from flowrex.secret import Secret
from tests.contract.notify.receivers import Inbox, chat, mail_server
from tests.serving import certificate

MESSAGE = Message(
    "emergency-5-halt", "[prod] emergency halt", "Über.\nSee it.", "2026-03-01T12:00:00+00:00"
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


@pytest.fixture
def tls(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@pytest.fixture
def settings(files: tuple[Path, Path]) -> Mail:
    return Mail(
        enabled=True,
        host="localhost",
        port=0,
        tls="starttls",
        ca_file=str(files[0]),
        user="agent",
        sender="agent@example.com",
        recipients=("one@example.com", "two@example.com"),
        timeout="5s",  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_an_e_mail_comes_over_tls_after_a_login(
    way: str, settings: Mail, tls: ssl.SSLContext
) -> None:
    with mail_server(Inbox(), tls=tls, at_once=way == "tls") as inbox:
        chosen = replace(settings, port=inbox.port, tls=way)  # type: ignore[arg-type]
        mail.send(MESSAGE, chosen, Secret("let-me-in"), node="n1")
    (content,) = inbox.messages
    came = message_from_bytes(content, policy=policy.default)
    assert came["Message-ID"] == "<emergency-5-halt@n1.flowrex>"
    assert came["Subject"] == MESSAGE.subject
    assert came.get_content().replace("\r\n", "\n") == "Über.\nSee it.\n"
    assert inbox.secured == [True]
    said = base64.b64decode(inbox.logins[0].split()[2])
    assert said == b"\0agent\0let-me-in"


def test_a_server_that_offers_no_encryption_gets_no_password(settings: Mail) -> None:
    with mail_server(Inbox()) as inbox, pytest.raises(ServerUnreachable, match="STARTTLS"):
        mail.send(MESSAGE, replace(settings, port=inbox.port), Secret("x"), node="n1")
    assert (inbox.logins, inbox.messages) == ([], [])


def test_a_certificate_that_is_not_trusted_gets_no_password(
    settings: Mail, tls: ssl.SSLContext
) -> None:
    with mail_server(Inbox(), tls=tls) as inbox:
        chosen = replace(settings, port=inbox.port, ca_file=None)
        with pytest.raises(ServerUnreachable, match="certificate"):
            mail.send(MESSAGE, chosen, Secret("x"), node="n1")
    assert (inbox.logins, inbox.messages) == ([], [])


def test_recipients_that_are_refused_are_an_error(settings: Mail, tls: ssl.SSLContext) -> None:
    with mail_server(Inbox(refuse="550 no such user"), tls=tls) as inbox:
        chosen = replace(settings, port=inbox.port)
        with pytest.raises(ServerUnreachable, match="localhost"):
            mail.send(MESSAGE, chosen, Secret("x"), node="n1")
    assert inbox.messages == []


def test_a_mail_server_that_is_not_there_is_an_error(settings: Mail) -> None:
    with pytest.raises(ServerUnreachable, match="localhost:1 does not take it"):
        mail.send(MESSAGE, replace(settings, port=1), None, node="n1")


def test_a_webhook_takes_it() -> None:
    with chat(Inbox()) as inbox:
        address = Secret(f"http://127.0.0.1:{inbox.port}/hook")
        webhook.send(MESSAGE, address, timeout_s=5)
    assert inbox.messages == [{"text": "*[prod] emergency halt*\nÜber.\nSee it."}]


def test_a_webhook_that_refuses_is_an_error() -> None:
    with chat(Inbox(refuse="503")) as inbox, pytest.raises(ServerRefused, match="answers 503"):
        webhook.send(MESSAGE, Secret(f"http://127.0.0.1:{inbox.port}/"), timeout_s=5)
