"""Send a message by e-mail, encrypted on its way."""

from __future__ import annotations

import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, ServerRefused, ServerUnreachable
from flowrex.notify.message import Message
from flowrex.notify.settings import Mail
from flowrex.secret import Secret

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def compose(message: Message, settings: Mail, node: str) -> EmailMessage:
    """Return the e-mail; the same message gives the same Message-ID.

    Args:
        message: what to tell.
        settings: from whom and to whom.
        node: this node, in the Message-ID.

    Raises:
        ConfigurationError: nobody is named that it could go to.
    """
    if not settings.recipients:
        raise ConfigurationError("notify.mail.recipients names nobody")
    mail = EmailMessage()
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.recipients)
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = format_datetime(datetime.fromisoformat(message.at))
    mail["Message-ID"] = f"<{message.id}@{node}.flowrex>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Priority"] = "1"
    mail.set_content(message.text)
    return mail


def send(message: Message, settings: Mail, password: Secret | None, *, node: str) -> None:
    """Send a message.

    Args:
        message: what to tell.
        settings: the server, and from whom and to whom.
        password: of `settings.user`.
        node: this node.

    Raises:
        ServerUnreachable: it was not taken by the server, or not for everybody.
        ConfigurationError: it can't be sent so.
    """
    mail = compose(message, settings, node)
    where = f"{settings.host}:{settings.port}"
    try:
        with _connected(settings) as server:
            if settings.user is not None:
                if password is None:
                    raise ConfigurationError(
                        f"there is no password for {settings.user} at {where}",
                        hint="Put it where the secrets of the notifications are kept.",
                    )
                server.login(settings.user, password.reveal())
            refused = server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise ServerRefused(
            f"the mail server {where} answers {error.smtp_code}: {' '.join(text.split())}"
        ) from error
    except (smtplib.SMTPException, OSError) as error:
        raise ServerUnreachable(f"the mail server {where} does not take it: {error}") from error
    if refused:
        raise ServerRefused(f"the mail server {where} refuses {', '.join(sorted(refused))}")


def _connected(settings: Mail) -> smtplib.SMTP:
    timeout = seconds(settings.timeout)
    if settings.tls == "none" and settings.host not in _LOOPBACK:
        raise ConfigurationError(
            f"notify.mail.tls is none, and {settings.host} is not this machine",
            hint="Set it to starttls or tls.",
        )
    if settings.tls == "tls":
        return smtplib.SMTP_SSL(
            settings.host, settings.port, timeout=timeout, context=_trust(settings)
        )
    server = smtplib.SMTP(settings.host, settings.port, timeout=timeout)
    if settings.tls == "starttls":
        try:
            server.starttls(context=_trust(settings))
        except BaseException:
            server.close()
            raise
    return server


def _trust(settings: Mail) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file)
