"""A mail server and a chat of the tests' own, on loopback."""

from __future__ import annotations

import json
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from tests.serving import serving


@dataclass
class Inbox:
    """What came.

    Attributes:
        port: where it listens.
        messages: e-mails as they came, or documents of a webhook.
        logins: what was said at AUTH.
        secured: whether each e-mail came over TLS.
        refuse: an SMTP answer, or an HTTP status, instead of taking anything.
    """

    port: int = 0
    messages: list[Any] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    refuse: str = ""


@contextmanager
def mail_server(
    inbox: Inbox, *, tls: ssl.SSLContext | None = None, at_once: bool = False
) -> Iterator[Inbox]:
    """Run a mail server.

    Args:
        inbox: takes what comes.
        tls: its certificate; STARTTLS is offered with it.
        at_once: whether TLS begins before the first word.
    """

    session = type("Session", (_Session,), {"inbox": inbox, "tls": tls, "at_once": at_once})
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), session)) as inbox.port:
        yield inbox


class _Session(socketserver.StreamRequestHandler):
    """One connection: as much SMTP as a client needs to send."""

    inbox: Inbox
    tls: ssl.SSLContext | None
    at_once: bool

    def setup(self) -> None:
        self.secured = self.at_once
        if self.tls is not None and self.at_once:
            self.request = self.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            getattr(self, f"_{verb.lower()}", self._ok)(line)
            if verb == "QUIT":
                return

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _ok(self, line: str) -> None:
        self._say("250 ok")

    def _quit(self, line: str) -> None:
        self._say("221 bye")

    def _ehlo(self, line: str) -> None:
        self._say("250-test")
        if self.tls is not None and not self.secured:
            self._say("250-STARTTLS")
        self._say("250 AUTH PLAIN")

    def _starttls(self, line: str) -> None:
        assert self.tls is not None
        self._say("220 go")
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.secured = True

    def _auth(self, line: str) -> None:
        self.inbox.logins.append(line)
        self._say("235 ok")

    def _rcpt(self, line: str) -> None:
        self._say(self.inbox.refuse or "250 ok")

    def _data(self, line: str) -> None:
        self._say("354 go")
        lines = []
        while (part := self.rfile.readline()) != b".\r\n":
            lines.append(part)
        self.inbox.messages.append(b"".join(lines))
        self.inbox.secured.append(self.secured)
        self._say("250 ok")


@contextmanager
def chat(inbox: Inbox) -> Iterator[Inbox]:
    """Run a chat that takes webhooks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if inbox.refuse:
                self.send_response(int(inbox.refuse))
                self.end_headers()
                return
            inbox.messages.append(json.loads(body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as inbox.port:
        yield inbox
