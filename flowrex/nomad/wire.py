"""Requests to Nomad's HTTP API by the standard library, and what goes wrong with them.

What only reads goes this way: a plan is typed all day, and importing python-nomad, which stands on
requests, takes longer than everything that a plan asks. What changes something goes through the
library; see `flowrex.nomad.library`.
"""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from flowrex.address import split
from flowrex.errors import (
    ConfigurationError,
    NotFound,
    PermissionRefused,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.loopback import is_loopback

_JSON = {"Content-Type": "application/json"}
_FIRST_ERROR = 400
_LONGEST_TEXT = 500
_PIECE = 65536


@dataclass(frozen=True)
class Reply:
    """What Nomad answered.

    Attributes:
        headers: by name, in any case.
        body: the whole body.
    """

    headers: http.client.HTTPMessage
    body: bytes


class Wire:
    """One Nomad's address, and how it is reached; safe to share between threads."""

    def __init__(
        self,
        address: str,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        verify: bool | str = True,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            address: `http://HOST:PORT` or `https://…`.
            headers: what every request carries; the token among them.
            timeout_s: seconds for the connection, and for an answer unless a request says more.
            verify: whether the certificate is checked, or the file of authorities to check it with.
            environ: the process's environment, which may name a proxy for what is elsewhere.

        Raises:
            ConfigurationError: the address is none, or the file of authorities can't be read.
        """
        parts = split(address)
        if parts is None or parts.hostname is None:
            raise ConfigurationError(
                f"{address!r} is no address of a Nomad",
                hint="Write it as http://HOST:PORT or https://HOST:PORT in servers.nomad.",
            )
        self.address = address.rstrip("/")
        self._headers = _checked(headers)
        self._timeout_s = timeout_s
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._secure else 80)
        self._context = _trust(authorities(verify, environ)) if self._secure else None
        self._proxy = None if is_loopback(self._host) else _proxy(parts.scheme, self._host, environ)

    def request(
        self, method: str, target: str, body: bytes | None = None, *, read_s: float | None = None
    ) -> Reply:
        """Send one request and return its whole answer.

        Args:
            method: in capitals.
            target: the path with its query string, from `/v1/` on.
            body: JSON.
            read_s: seconds to wait for the answer; the wire's own unless given.

        Raises:
            ServerUnreachable: it does not answer; `PermissionRefused`, `NotFound` or
                `ServerRefused` where it answers with a status above 399.
        """
        patience = self._timeout_s if read_s is None else read_s
        with self._answer(method, target, body, patience) as response:
            return Reply(response.headers, response.read())

    def stream(self, target: str) -> Iterator[bytes]:
        """Yield the pieces of an answer as they come; only the connection has a deadline.

        Args:
            target: the path with its query string, from `/v1/` on.

        Raises:
            ServerUnreachable: as `request`; a refusal is raised at once, not with the first piece.
        """
        open_answer = ExitStack()
        response = open_answer.enter_context(self._answer("GET", target, None, None))

        def pieces() -> Iterator[bytes]:
            with open_answer, errors(self.address):
                while piece := response.read1(_PIECE):
                    yield piece

        return pieces()

    @contextmanager
    def _answer(
        self, method: str, target: str, body: bytes | None, read_s: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connection()
        # A proxy that relays plain requests wants the whole address.
        relayed = self._proxy is not None and not self._secure
        headers = self._headers if body is None else {**self._headers, **_JSON}
        with errors(self.address), closing(connection):
            connection.connect()
            connection.sock.settimeout(read_s)
            connection.request(method, self.address + target if relayed else target, body, headers)
            response = connection.getresponse()
            if response.status >= _FIRST_ERROR:
                text = response.read(_LONGEST_TEXT * 4).decode(errors="replace")
                raise refused(self.address, response.status, text)
            yield response

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._proxy or (self._host, self._port)
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        connection = http.client.HTTPSConnection(
            host, port, timeout=self._timeout_s, context=self._context
        )
        if self._proxy is not None:
            connection.set_tunnel(self._host, self._port)
        return connection


@contextmanager
def errors(address: str) -> Iterator[None]:
    """Turn what the standard library raises while it sends into Flowrex's errors.

    Args:
        address: the server, for the sentence.
    """
    try:
        yield
    except (http.client.HTTPException, OSError) as error:
        raise unreachable(address, error) from error


def refused(address: str, status: int, text: str) -> ServerRefused:
    """Return the error that an answer's status above 399 means.

    Args:
        address: the server.
        status: the answer's.
        text: the answer's body, for the sentence.
    """
    text = " ".join(text.split())[:_LONGEST_TEXT]
    answer = f"Nomad at {address} answers {status}: {text}"
    if status == HTTPStatus.FORBIDDEN:
        return PermissionRefused(
            answer, hint="Check NOMAD_TOKEN: it may be missing, expired, or not allowed to do this."
        )
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(answer)
    if "No cluster leader" in text:
        return ServerRefused(answer, hint="The servers are electing a leader; try again shortly.")
    return ServerRefused(answer)


def unreachable(address: str, cause: object) -> ServerUnreachable:
    """Return the error that says why no answer came."""
    return ServerUnreachable(
        f"Nomad at {address} does not answer: {_reason(cause)}",
        hint="Is it running, and is the address right? For a local cluster: flowrexctl dev status",
    )


def not_nomad(address: str) -> ServerRefused:
    """Return the error for an answer that Nomad would not give."""
    return ServerRefused(
        f"{address} answers with something that is not JSON",
        hint="Is this the address of Nomad's HTTP API?",
    )


def _reason(cause: object) -> str:
    text = str(cause)
    for sign, reason in (
        ("Connection refused", "connection refused"),
        ("timed out", "it took too long"),
        ("Name or service not known", "the host name is not known"),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate can't be verified"),
        ("Connection aborted", "the connection was cut"),
        ("Connection reset", "the connection was cut"),
        ("Connection broken", "the connection was cut"),
        ("IncompleteRead", "the connection was cut"),
        ("closed connection without response", "the connection was cut"),
    ):
        if sign in text:
            return reason
    return text or type(cause).__name__


def authorities(verify: bool | str, environ: Mapping[str, str]) -> bool | str:
    """Return which authorities a certificate is checked with.

    Args:
        verify: False checks nothing, a path is the file to use, True means the usual.
        environ: the process's environment; the usual file may be named by the variables that
            requests, and so python-nomad, looks at.
    """
    if verify is not True:
        return verify
    named = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
    return named or ssl.get_default_verify_paths().cafile or True


def _trust(verify: bool | str) -> ssl.SSLContext:
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    except OSError as error:
        raise ConfigurationError(
            f"the certificates of authorities in {verify} can't be read: {error.strerror}"
        ) from error


def _proxy(scheme: str, host: str, environ: Mapping[str, str]) -> tuple[str, int] | None:
    """Return the proxy that the variables name for a host; a name in lower case wins, as usual."""
    named = {
        name.lower().removesuffix("_proxy"): value
        for name, value in sorted(environ.items())
        if name.lower().endswith("_proxy") and value
    }
    address = named.get(scheme) or named.get("all")
    if not address:
        return None
    # Imported only where a proxy is meant: it takes longer than the rest of this module.
    from urllib.request import proxy_bypass

    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        port = parts.port or 80
    except ValueError:
        # Not shown: it may have a password in it.
        raise ConfigurationError(
            f"the proxy that is named for {scheme} has no address that there can be",
            hint=f"Correct {scheme}_proxy or all_proxy of the environment.",
        ) from None
    if parts.hostname is None or proxy_bypass(host, named):
        return None
    return parts.hostname, port


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not value.isascii() or not value.isprintable():
            # The library's own message would show the value.
            raise ConfigurationError(
                f"what would be sent as {name} holds signs that a header can't carry",
                hint="Look for a line break or a blank at the end of the token.",
            )
    return dict(headers)
