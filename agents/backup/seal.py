"""A sealed stream: AES-256-GCM in chunks, whose order and end are authenticated.

    header   magic (8 bytes), length of a plain chunk (4), salt (32)
    chunks   each the cipher text of one plain chunk, 16 bytes longer than it

The key of a stream is derived (HKDF-SHA256) from the backup's data key, the header, and the place
that the stream belongs to, so a stream of another backup, or of another file of the same one, does
not open. A chunk's nonce is its number and whether it is the last: one that is left out, repeated,
moved or cut off does not open either. It is the construction known as STREAM, which age uses too.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from flowrex.errors import FlowrexError

MAGIC = b"flxseal1"
CHUNK = 1 << 20
KEY_BYTES = 32
_SALT = 32
_TAG = 16
_HEADER = struct.Struct(f">8sI{_SALT}s")
_LARGEST_CHUNK = 16 << 20


class SealBroken(FlowrexError):
    """A sealed stream is not what was written, not whole, or not of this key and place."""

    exit_status = 6


class Sealer:
    """Seals one stream, piece by piece."""

    def __init__(self, key: bytes, place: str, *, chunk: int = CHUNK) -> None:
        """Begin a stream.

        Args:
            key: the backup's data key, 32 bytes.
            place: what the stream is, and of which backup; the reader must say the same.
            chunk: bytes of plain text in a chunk.
        """
        self.header = _HEADER.pack(MAGIC, chunk, os.urandom(_SALT))
        self._cipher = _cipher(key, place, self.header)
        self._chunk = chunk
        self._number = 0
        self._waiting = bytearray()

    def update(self, plain: bytes) -> bytes:
        """Return the chunks that are full now, sealed; empty where none is."""
        self._waiting += plain
        sealed = []
        # One is always held back: only at the end it is known to be the last.
        while len(self._waiting) > self._chunk:
            with memoryview(self._waiting) as waiting:
                sealed.append(self._seal(bytes(waiting[: self._chunk]), last=False))
            del self._waiting[: self._chunk]
        return b"".join(sealed)

    def finish(self) -> bytes:
        """Return the last chunk, sealed as such. There always is one, and it may be empty."""
        return self._seal(bytes(self._waiting), last=True)

    def _seal(self, plain: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._number, last), plain, None)
        self._number += 1
        return sealed


def opened(pieces: Iterable[bytes], key: bytes, place: str) -> Iterator[bytes]:
    """Open a sealed stream.

    What comes out early is authentic but perhaps not all: it must not count before the end.

    Args:
        pieces: the stream, cut anyhow.
        key: the backup's data key.
        place: what it was sealed for.

    Yields:
        The plain chunks, in order.

    Raises:
        SealBroken: the stream was changed, cut, put together from others, or is of another key or
            place.
    """
    source = Pieces(pieces)
    header = source.take(_HEADER.size)
    if len(header) < _HEADER.size:
        raise SealBroken(f"{place} ends before it begins: it is no sealed stream")
    magic, chunk, _ = _HEADER.unpack(header)
    if magic != MAGIC or not 0 < chunk <= _LARGEST_CHUNK:
        raise SealBroken(f"{place} is no sealed stream")
    cipher = _cipher(key, place, header)
    number = 0
    sealed = source.take(chunk + _TAG)
    while True:
        following = source.take(chunk + _TAG)
        last = not following
        try:
            plain = cipher.decrypt(_nonce(number, last), sealed, None)
        except InvalidTag as error:
            raise SealBroken(
                f"{place} can't be opened from byte {number * chunk} on: it was changed or cut "
                "off, or it is of another backup"
            ) from error
        yield plain
        if last:
            return
        sealed = following
        number += 1


class Pieces:
    """Pieces as they come, taken in the lengths that are wanted."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = bytearray()

    def take(self, length: int) -> bytes:
        """Return the next bytes: so many, or fewer at the end."""
        while len(self._held) < length and (piece := next(self._pieces, None)) is not None:
            self._held += piece
        with memoryview(self._held) as held:
            taken = bytes(held[:length])
        del self._held[:length]
        return taken


def _cipher(key: bytes, place: str, header: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a data key has {KEY_BYTES} bytes, not {len(key)}")
    info = header[:-_SALT] + place.encode()
    derived = HKDF(SHA256(), KEY_BYTES, salt=header[-_SALT:], info=info).derive(key)
    return AESGCM(derived)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
