"""Consul, Vault and Nomad: each hands out its Raft state as one compressed tar file."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from agents.snapshots.source import File, Pieces, SnapshotBroken
from flowrex.errors import PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret

SNAPSHOT = "snapshot.tgz"
_STATE = "state.bin"
_SUMS = "SHA256SUMS"
_PIECE = 1 << 20
_TIMEOUT_S = 120.0
_REDIRECTS = frozenset({301, 302, 307, 308})
_MOST_REDIRECTS = 3
_SMALL = 1 << 20


@dataclass(frozen=True)
class Raft:
    """One of the three.

    Attributes:
        kind: `consul`, `vault` or `nomad`.
        address: its API's address.
        path: where its snapshot is read.
        restore_path: where one is put back.
        method: by which method.
        header: the header of its token.
        token: gives the token.
        ca_file: certificates that its own is checked by; None: the system's.
        next_step: what comes after a restore.
    """

    kind: str
    address: str
    path: str
    restore_path: str
    method: str
    header: str
    token: Callable[[], Secret]
    ca_file: str | None
    next_step: str

    def files(self) -> tuple[File, ...]:
        """Return its one file; it is compressed already."""
        return (File(SNAPSHOT, self._read, check, compress=False),)

    def where(self) -> str:
        """Return its address."""
        return self.address

    def restore(self, read: Callable[[str], Pieces]) -> str:
        """Put a snapshot back; the server checks it before it takes it."""
        with self._answer(self.method, self.restore_path, read(SNAPSHOT)) as response:
            response.read(_SMALL)
        return self.next_step

    @contextmanager
    def _read(self) -> Iterator[Pieces]:
        with self._answer("GET", self.path, None) as response:
            yield self._pieces(response)

    def _pieces(self, response: http.client.HTTPResponse) -> Pieces:
        try:
            while piece := response.read(_PIECE):
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnreachable(
                f"{self.kind} at {self.address} broke off in the middle of its snapshot: {error}"
            ) from error

    @contextmanager
    def _answer(
        self, method: str, path: str, body: Pieces | None
    ) -> Iterator[http.client.HTTPResponse]:
        url = self.address.rstrip("/") + path
        for _ in range(_MOST_REDIRECTS):
            connection = self._connection(url)
            try:
                response = self._send(connection, method, url, body)
                if response.status not in _REDIRECTS or body is not None:
                    self._refuse(response)
                    yield response
                    return
                # A standby names the active one.
                url = urljoin(url, response.headers.get("Location", ""))
            finally:
                connection.close()
        raise ServerUnreachable(f"{self.kind} at {self.address} only ever names another address")

    def _send(
        self, connection: http.client.HTTPConnection, method: str, url: str, body: Pieces | None
    ) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {self.header: self.token().reveal()}
        try:
            connection.request(method, target, body=body, headers=headers, encode_chunked=True)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnreachable(
                f"{self.kind} at {self.address} does not answer: {error}"
            ) from error

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self.ca_file)
            return http.client.HTTPSConnection(
                host, parts.port, timeout=_TIMEOUT_S, context=context
            )
        return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)

    def _refuse(self, response: http.client.HTTPResponse) -> None:
        if response.status < 300:
            return
        said = response.read(400).decode(errors="replace").strip()
        if response.status in (401, 403):
            raise PermissionRefused(
                f"{self.kind} at {self.address} refuses its snapshot: {said}",
                hint="docs/runbooks/rebuild-cluster.md tells which token it takes.",
            )
        raise ServerRefused(
            f"{self.kind} at {self.address} answers {response.status} to a snapshot: {said}"
        )


def check(pieces: Pieces) -> None:
    """Read a snapshot through and compare its files with the checksums that are in it.

    Raises:
        SnapshotBroken: it is not whole.
    """
    digests: dict[str, str] = {}
    sums = ""
    plain = _decompressed(pieces)
    try:
        with tarfile.open(fileobj=Readable(plain), mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                content = archive.extractfile(member)
                if content is None:
                    continue
                if member.name == _SUMS:
                    sums = content.read(_SMALL).decode()
                    continue
                digest = hashlib.sha256()
                while piece := content.read(_PIECE):
                    digest.update(piece)
                digests[member.name] = digest.hexdigest()
        # What follows the tar's end is read too: the stream's own checksum comes after it.
        for _ in plain:
            pass
    except (tarfile.TarError, EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
        raise SnapshotBroken(f"the snapshot can't be unpacked: {error}") from error
    wanted = {
        name.strip(): digest
        for digest, _, name in (line.partition(" ") for line in sums.splitlines())
    }
    if _STATE not in wanted or _STATE not in digests:
        raise SnapshotBroken("the snapshot has no state, or no checksum of it")
    for name, promised in wanted.items():
        if digests.get(name) != promised:
            raise SnapshotBroken(f"{name} in the snapshot is not what its checksum says")


def _decompressed(pieces: Pieces) -> Pieces:
    """Yield what a gzip stream holds, and insist on its end."""
    stretch = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for piece in pieces:
        rest = piece
        while rest and not stretch.eof:
            # In pieces, since a little may become very much.
            if plain := stretch.decompress(rest, _PIECE):
                yield plain
            rest = stretch.unconsumed_tail
    if plain := stretch.flush():
        yield plain
    if not stretch.eof:
        raise EOFError("it ends too early")


class Readable:
    """Pieces, as a file to be read forward."""

    def __init__(self, pieces: Pieces) -> None:
        """Begin at the first piece.

        Args:
            pieces: the file, cut anyhow.
        """
        self._pieces = pieces
        self._held = bytearray()

    def read(self, length: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        while len(self._held) < length and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        taken = bytes(self._held[:length])
        del self._held[:length]
        return taken
