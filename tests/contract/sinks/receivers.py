"""What stands at the other end of a sink, and counts what it gets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.serving import certificate, serving


@dataclass
class Received:
    """What a receiver has.

    Attributes:
        batches: by the name that the sender gave each batch, its lines.
        times: how often each batch came.
        refuse: how many of the next batches are refused.
        lose: how many of the next batches are taken without an answer.
    """

    batches: dict[str, list[bytes]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    refuse: int = 0
    lose: int = 0

    def take(self, name: str, lines: list[bytes]) -> None:
        self.batches[name] = lines
        self.times[name] = self.times.get(name, 0) + 1


@contextmanager
def http_receiver(received: Received) -> Iterator[str]:
    """Run an HTTP receiver that knows a batch by its Idempotency-Key."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._chunks()
            if received.refuse:
                received.refuse -= 1
                self._answer(503)
                return
            assert self.headers["Content-Type"] == "application/x-ndjson"
            received.take(self.headers["Idempotency-Key"], body.splitlines(keepends=True))
            if received.lose:
                received.lose -= 1
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self._answer(204)

        def _chunks(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}/ingest"


@dataclass(frozen=True)
class SyslogAddress:
    """Where a syslog receiver listens, and by which certificate it is known."""

    port: int
    certificate: Path


@contextmanager
def syslog_receiver(received: Received, folder: Path) -> Iterator[SyslogAddress]:
    """Run a TLS syslog receiver: one connection is one batch, named by its first message's key."""
    shown, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, key)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                plain, _ = listener.accept()
            except TimeoutError:
                continue
            plain.settimeout(5)
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    _take_connection(connection, received)
            except OSError:
                continue  # a client that does not trust the certificate

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield SyslogAddress(listener.getsockname()[1], shown)
    finally:
        stop.set()
        thread.join()
        listener.close()


def _take_connection(connection: ssl.SSLSocket, received: Received) -> None:
    if received.refuse:
        received.refuse -= 1
        _reset(connection)
        return
    data = b""
    while piece := connection.recv(65_536):
        data += piece
    messages = list(octet_counted(data))
    key = messages[0].split(b'key="')[1].split(b'"')[0].decode()
    received.take(key, [message.split(b"] ", 1)[1] + b"\n" for message in messages])
    if received.lose:
        received.lose -= 1
        _reset(connection)
        return
    connection.unwrap()


def _reset(connection: ssl.SSLSocket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def octet_counted(data: bytes) -> Iterator[bytes]:
    """Yield the messages of a stream that is framed as RFC 5425 says."""
    while data:
        length, _, data = data.partition(b" ")
        size = int(length)
        assert len(data) >= size, "the stream ends within a message"
        yield data[:size]
        data = data[size:]
