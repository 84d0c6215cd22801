"""Send a message to a chat: JSON with `text`, as Slack, Mattermost and others take it."""

from __future__ import annotations

from flowrex.address import split
from flowrex.errors import ConfigurationError, ServerRefused, ServerUnreachable
from flowrex.notify.message import Message
from flowrex.secret import Secret

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST = 300


class Later(ServerRefused):
    """The chat asks to come back later.

    Attributes:
        after_s: seconds that it asks for.
    """

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


def send(message: Message, address: Secret, *, timeout_s: float) -> None:
    """Send a message.

    The address is a secret: who knows it may write. It is in no error.

    Args:
        message: what to tell.
        address: where to.
        timeout_s: seconds to connect, and to wait for the answer.

    Raises:
        ServerUnreachable: it was not taken.
        ConfigurationError: the address is none that a secret may be sent to.
    """
    import requests

    host = _host(address)
    document = {"text": f"*{message.subject}*\n{message.text}"}
    try:
        answer = requests.post(
            address.reveal(), json=document, timeout=timeout_s, allow_redirects=False
        )
    except requests.RequestException as error:
        # Its text has the address in it.
        raise ServerUnreachable(
            f"the webhook at {host} does not answer ({type(error).__name__})"
        ) from None
    if 200 <= answer.status_code < 300:
        return
    said = " ".join(answer.text[:_LONGEST].split())
    text = f"the webhook at {host} answers {answer.status_code}: {said}"
    after = answer.headers.get("Retry-After", "")
    if after.isdecimal():
        raise Later(text, float(after))
    raise ServerRefused(text)


def _host(address: Secret) -> str:
    parts = split(address.reveal().strip())
    host = (parts.hostname if parts else None) or ""
    if parts is None or not (parts.scheme == "https" or host in _LOOPBACK):
        raise ConfigurationError(
            "the webhook's address is none that begins with https://",
            hint="Put one that does where the secret is kept.",
        )
    return host
