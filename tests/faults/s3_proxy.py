"""An HTTP server between a client and a real one, that refuses, hangs and lies when told to.

    with running("http://127.0.0.1:7070") as proxy:
        proxy.fault("PUT", "partNumber=2", Deed.LOSE_ANSWER, times=1)
        client = S3Client(proxy.address, …)

It passes the Host header on as it came, so that a signature made for the proxy's address is good at
the server behind it. What goes through is counted, so that a test can act at the n-th request.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
_ERROR = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>InternalError</Code>'
    b"<Message>We encountered an internal error. Please try again.</Message></Error>"
)


class Deed(Enum):
    """What may happen to a request."""

    REFUSE = auto()  # the connection is reset before anything is passed on
    UNAVAILABLE = auto()  # 503
    FORBIDDEN = auto()  # 403
    HANG = auto()  # no answer until `release`
    LOSE_ANSWER = auto()  # it is passed on and done, and the connection is reset
    ERROR_IN_200 = auto()  # nothing is passed on; 200 with an error in the body
    PRETEND = auto()  # nothing is passed on; 200 as if it had been done
    CORRUPT_BODY = auto()  # one bit of what is sent is turned over
    TRUNCATE_BODY = auto()  # half of what is sent is passed on, as if it were all
    CORRUPT_ANSWER = auto()  # one bit of the answer is turned over
    TRUNCATE_ANSWER = auto()  # half of the answer, then the connection is reset


@dataclass
class _Fault:
    method: str
    pattern: re.Pattern[str]
    deed: Deed
    times: int


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    target: str


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        address: where it listens.
        upstream: host and port of the server behind it; may be changed.
        seen: every request so far.
        before: called with each request before it is passed on.
        after: called with each request when the server has done it, before the client hears of it.
    """

    address: str
    upstream: str
    seen: list[Seen] = field(default_factory=list)
    before: Callable[[Seen], None] = lambda seen: None
    after: Callable[[Seen], None] = lambda seen: None
    _faults: list[_Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    def fault(self, method: str, pattern: str, deed: Deed, *, times: int = 1_000_000) -> None:
        """Do `deed` to the next `times` requests whose method and target fit.

        Args:
            method: HTTP's, or "" for all.
            pattern: a regular expression to be found in the path and query.
            deed: what happens.
            times: how often.
        """
        with self._lock:
            self._faults.append(_Fault(method, re.compile(pattern), deed, times))

    def heal(self) -> None:
        """Do nothing bad from now on, and let go what hangs."""
        with self._lock:
            self._faults.clear()
        self.release()

    def release(self) -> None:
        """Reset the connections that hang."""
        self._released.set()
        self._released = threading.Event()

    def hang(self, seconds: float) -> None:
        """Wait for `release`."""
        self._released.wait(seconds)

    def deed(self, seen: Seen) -> Deed | None:
        """Note a request and return what happens to it."""
        with self._lock:
            self.seen.append(seen)
            for fault in self._faults:
                if fault.method in {"", seen.method} and fault.pattern.search(seen.target):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault.deed
        return None


@contextmanager
def running(upstream: str) -> Iterator[Proxy]:
    """Run a proxy in this process.

    Args:
        upstream: the server behind it, `http://127.0.0.1:7070`.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.proxy = Proxy(f"http://127.0.0.1:{server.server_port}", urlsplit(upstream).netloc)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.proxy.heal()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    proxy: Proxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, http.client.HTTPException):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        proxy = self.server.proxy
        seen = Seen(self.command, self.path)
        deed = proxy.deed(seen)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        proxy.before(seen)
        if deed is Deed.REFUSE:
            self._reset()
        elif deed is Deed.HANG:
            proxy.hang(600)
            self._reset()
        elif deed is Deed.UNAVAILABLE:
            self._say(503, _ERROR.replace(b"InternalError", b"SlowDown"))
        elif deed is Deed.FORBIDDEN:
            self._say(403, _ERROR.replace(b"InternalError", b"AccessDenied"))
        elif deed is Deed.ERROR_IN_200:
            self._say(200, _ERROR)
        elif deed is Deed.PRETEND:
            self._say(200, b"", ETag='"0123456789abcdef0123456789abcdef"')
        else:
            self._pass_on(proxy, seen, deed, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_LIST = _serve

    def _pass_on(self, proxy: Proxy, seen: Seen, deed: Deed | None, body: bytes) -> None:
        if deed is Deed.CORRUPT_BODY:
            body = _turned(body)
        elif deed is Deed.TRUNCATE_BODY:
            body = body[: len(body) // 2]
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP
        }
        if "Content-Length" in headers:
            headers["Content-Length"] = str(len(body))
        upstream = http.client.HTTPConnection(proxy.upstream, timeout=600)
        try:
            upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            content = answer.read()
        except OSError:
            self._reset()
            return
        finally:
            upstream.close()
        proxy.after(seen)
        if deed is Deed.LOSE_ANSWER:
            self._reset()
            return
        if deed is Deed.CORRUPT_ANSWER:
            content = _turned(content)
        cut = deed is Deed.TRUNCATE_ANSWER
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {*_HOP_BY_HOP, "date", "server"} and not (
                name.lower() == "content-length" and self.command != "HEAD"
            ):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.wfile.flush()
            self._reset()

    def _say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        # With nothing left to linger for, closing sends a reset and no orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _turned(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
