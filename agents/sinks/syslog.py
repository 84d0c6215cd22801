"""Audit lines as syslog messages: RFC 5424, framed by octet count, over TLS (RFC 5425).

Syslog has no acknowledgement. What comes nearest is the end of the connection: each segment has one
of its own, and when all is sent the agent says so (TLS `close_notify`) and waits until the other
side ends the connection in its turn, as RFC 5425 tells it to. It can do that only after it has read
everything before. A reset, or no end in time, means that nobody knows, and the segment is sent
again whole. So the receiver gets each line at least once, and `key` and `line` in the structured
data let it drop what it has. Whether the receiver then keeps it is not to be learnt by this
protocol: for proof there is the bucket.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.sinks.sink import Segment, Stored
from flowrex.errors import ConfigurationError, ServerRefused, ServerUnreachable

# RFC 5612 sets this number aside for names that belong to nobody.
_DATA_ID = "flowrex@32473"
_NOTICE = 5
_TIME = re.compile(rb'\{"time":"([0-9T:.\-]{19,32}Z)"')
_BATCH = 65_536
_HINT = (
    "audit.syslog.ca_file, certificate_file and key_file name them; the agent's user reads them."
)


@dataclass(frozen=True)
class SyslogServer:
    """Where to and as whom.

    Attributes:
        host: the server's name, as in its certificate.
        port: its TCP port.
        ca_file: certificates that its own is checked by; None: the system's.
        certificate_file: the agent's own certificate; None: none is shown.
        key_file: that one's key.
        facility: the syslog facility.
        timeout_s: seconds to wait for each answer.
    """

    host: str
    port: int
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    facility: int = 13
    timeout_s: float = 30


class SyslogSink:
    """A syslog server."""

    name = "syslog"

    def __init__(self, server: SyslogServer) -> None:
        """Prepare; nothing is sent yet.

        Args:
            server: where to and as whom.

        Raises:
            ConfigurationError: its certificates can't be read. Where that comes later, it is an
                outage: `deliver` raises `ServerUnreachable`, and is called again.
        """
        self._server = server
        try:
            _context(server)
        except OSError as error:
            raise ConfigurationError(_unreadable(error), hint=_HINT) from error

    def deliver(self, segment: Segment) -> None:
        """Send every line over a connection of its own and wait for its orderly end."""
        server = self._server
        where = f"the syslog server {server.host}:{server.port}"
        try:
            # Read each time: a certificate that was replaced is taken up without a reload.
            context = _context(server)
        except OSError as error:
            raise ServerUnreachable(_unreadable(error), hint=_HINT) from error
        try:
            with (
                socket.create_connection((server.host, server.port), server.timeout_s) as plain,
                context.wrap_socket(plain, server_hostname=server.host) as connection,
            ):
                for batch in _batches(frame(line) for line in self._messages(segment)):
                    connection.sendall(batch)
                _end(connection)
        except ssl.SSLCertVerificationError as error:
            raise ServerRefused(
                f"{where} has no certificate that can be trusted: {error.verify_message}",
                hint="Check audit.syslog.ca_file and audit.syslog.host.",
            ) from error
        except OSError as error:
            raise ServerUnreachable(
                f"{where} did not take a segment: {error}",
                hint="Check that it runs and speaks TLS at that port.",
            ) from error

    def find(self, keys: Collection[str]) -> None:
        """Tell nothing: syslog can't be asked."""
        return

    def ends(self, node: str, gets_on: Callable[[], None]) -> Iterator[Stored]:
        """Yield nothing: syslog can't be asked."""
        return iter(())

    def close(self) -> None:
        """Nothing is kept open."""

    def _messages(self, segment: Segment) -> Iterator[bytes]:
        head = segment.head
        priority = self._server.facility * 8 + _NOTICE
        for number, line in enumerate(segment.lines()):
            found = _TIME.match(line)
            time = found[1].decode() if found else head.created
            data = f'[{_DATA_ID} key="{head.key}" line="{number}" class="{head.category}"]'
            start = f"<{priority}>1 {time} {head.node} flowrex-agent - audit {data} "
            yield start.encode("ascii") + line.rstrip(b"\n")


def frame(message: bytes) -> bytes:
    """Return a message with its length before it."""
    return b"%d " % len(message) + message


def _context(server: SyslogServer) -> ssl.SSLContext:
    """Read the certificates.

    Raises:
        OSError: they can't be read, or are none.
    """
    context = ssl.create_default_context(cafile=server.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server.certificate_file:
        context.load_cert_chain(server.certificate_file, server.key_file)
    return context


def _unreadable(error: OSError) -> str:
    return f"audit.syslog: the certificates can't be read: {error}"


def _batches(frames: Iterator[bytes]) -> Iterator[bytes]:
    held, size = [], 0
    for one in frames:
        held.append(one)
        size += len(one)
        if size >= _BATCH:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _end(connection: ssl.SSLSocket) -> None:
    """Say that all is sent and wait until the other side has ended, too.

    Raises:
        OSError: it did not, or it broke the connection.
    """
    try:
        plain = connection.unwrap()
    except ssl.SSLEOFError:
        return  # it ended the connection without saying so in TLS, as many do: an end, and no reset
    plain.close()
