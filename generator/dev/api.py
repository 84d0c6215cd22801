"""Small HTTP calls to servers on loopback, before and beside the full clients.

The clients of `flowrex` cost a fifth of a second to import; `up` and `status` ask many times
whether a server answers, and need no more than this.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowrex.errors import ServerRefused, ServerUnreachable
from flowrex.secret import Secret

# No proxy: what is asked is always on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

NOMAD_TOKEN = "X-Nomad-Token"  # noqa: S105 - a header's name
CONSUL_TOKEN = "X-Consul-Token"  # noqa: S105
VAULT_TOKEN = "X-Vault-Token"  # noqa: S105


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: its code.
        body: the document in it, or its text where it is no JSON.
    """

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the server did what it was asked."""
        return self.status < 300


def call(
    url: str,
    *,
    method: str = "GET",
    body: Any = None,
    token: tuple[str, Secret] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Send one request and return the answer, whatever its code.

    Args:
        url: an http URL on loopback.
        method: the HTTP method.
        body: a document to send as JSON.
        token: the header that carries a token, and the token.
        headers: further headers.
        timeout_s: how long the server may take.

    Raises:
        ServerUnreachable: nobody answered.
    """
    request = urllib.request.Request(  # noqa: S310 - always http://127.0.0.1
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers=dict(headers or {}),
    )
    if body is not None:
        request.add_header("Content-Type", "application/json")
    if token is not None:
        request.add_header(token[0], token[1].reveal())
    try:
        with _opener.open(request, timeout=timeout_s) as response:
            return Answer(response.status, _document(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _document(error.read()))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ServerUnreachable(f"{url} does not answer: {reason}") from error


def demand(answer: Answer, what: str) -> Any:
    """Return an answer's document, or raise with what the server said.

    Args:
        answer: the answer.
        what: what was asked for, for the message: "Nomad would not start ACLs".

    Raises:
        ServerRefused: the answer is a refusal.
    """
    if not answer.ok:
        said = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        raise ServerRefused(f"{what}: HTTP {answer.status}: {said.strip()[:400]}")
    return answer.body


def _document(content: bytes) -> Any:
    text = content.decode(errors="replace")
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
