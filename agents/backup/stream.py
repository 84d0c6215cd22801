"""What every backup's bytes pass through: SHA-256, zstd, seal and upload in parts, and back.

Nothing is kept on disk, and never more in memory than a few parts: where the store is slow, the
reading waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import zstandard

from agents.backup.manifest import StoredFile
from agents.backup.seal import Pieces, SealBroken, Sealer, opened
from flowrex.errors import FlowrexError
from flowrex.s3 import Mode, Part, S3Client
from flowrex.s3.multipart import MOST_PARTS, Multipart

PART = 8 << 20
_AT_ONCE = 2
_LEVEL = 3
_MIB = 1 << 20


@dataclass(frozen=True)
class Place:
    """Where a stream goes.

    Attributes:
        s3: the store.
        bucket: the bucket.
        key: the object's name.
        name: what it is in its backup, see `StoredFile.name`.
        retain_until: until when it can't be deleted; None: the bucket's default.
        mode: who still may.
    """

    s3: S3Client
    bucket: str
    key: str
    name: str
    retain_until: datetime | None = None
    mode: Mode = "GOVERNANCE"


def part_size(expected_bytes: int) -> int:
    """Return the bytes of a part that make so long a stream fit into the parts that S3 allows."""
    needed = -(-expected_bytes // (MOST_PARTS - 1000))
    return max(PART, -(-needed // _MIB) * _MIB)


def store(
    pieces: Iterable[bytes],
    place: Place,
    key: bytes,
    *,
    compress: bool = True,
    part: int = PART,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[int], None] = lambda plain: None,
    good: Callable[[], None] = lambda: None,
) -> StoredFile:
    """Seal a stream into an object; the object is there whole or not at all.

    Args:
        pieces: what is to be stored. What it raises aborts the upload.
        place: where to.
        key: the backup's data key.
        compress: with zstd, or not where it is compressed already.
        part: bytes of a part.
        metadata: kept with the object.
        progress: called with the plain bytes so far; what it raises aborts the upload.
        good: called after the last piece and before the object is made; it raises where what came
            must not count.

    Raises:
        ObjectExists: there is an object of that name.
        ServerUnreachable: the store is away, or fails.
    """
    upload = place.s3.multipart(
        place.bucket,
        place.key,
        if_absent=True,
        metadata=metadata or {},
        retain_until=place.retain_until,
        mode=place.mode,
    )
    plain, stored = _Measure(), _Measure()
    try:
        with _Parts(upload, part) as parts:
            for sealed in _sealed(pieces, place, key, compress, plain, progress):
                stored.add(sealed)
                parts.add(sealed)
            good()
            sent = parts.finish()
        upload.complete(sent)
    except BaseException:
        # What can't be given up now is found by its age later; the first error is what counts.
        with suppress(FlowrexError):
            upload.abort()
        raise
    return StoredFile(
        name=place.name,
        key=place.key,
        plain_sha256=plain.digest,
        plain_size=plain.size,
        stored_sha256=stored.digest,
        stored_size=stored.size,
        compression="zstd" if compress else "none",
    )


def load(
    s3: S3Client,
    bucket: str,
    file: StoredFile,
    key: bytes,
    seal_place: str,
    *,
    progress: Callable[[int], None] = lambda stored: None,
) -> Iterator[bytes]:
    """Yield what was stored, after the last piece of which all its checksums are known to fit.

    Args:
        s3: the store.
        bucket: the bucket.
        file: as the manifest has it.
        key: the backup's data key.
        seal_place: what it was sealed for, see `seal_place`.
        progress: called with the stored bytes so far.

    Raises:
        SealBroken: what is there is not what was stored.
        NotFound: it is gone.
    """
    stored, plain = _Measure(), _Measure()

    def measured(pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            stored.add(piece)
            progress(stored.size)
            yield piece

    with s3.stream(bucket, file.key, chunk=_MIB) as pieces:
        chunks = opened(measured(pieces), key, seal_place)
        for piece in _decompressed(chunks, file) if file.compression == "zstd" else chunks:
            plain.add(piece)
            yield piece
    for what, measure, digest, size in (
        ("stored", stored, file.stored_sha256, file.stored_size),
        ("restored", plain, file.plain_sha256, file.plain_size),
    ):
        if (measure.digest, measure.size) != (digest, size):
            raise SealBroken(
                f"{file.key}: what is {what} has {measure.size} bytes and SHA-256 "
                f"{measure.digest}; the manifest says {size} and {digest}"
            )


def seal_place(key: str) -> str:
    """Return what an object is sealed for: its name, so that no other can take its place."""
    return key


class _Measure:
    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.size = 0

    def add(self, piece: bytes) -> None:
        self._digest.update(piece)
        self.size += len(piece)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


def _sealed(
    pieces: Iterable[bytes],
    place: Place,
    key: bytes,
    compress: bool,
    plain: _Measure,
    progress: Callable[[int], None],
) -> Iterator[bytes]:
    sealer = Sealer(key, seal_place(place.key))
    squeeze = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    yield sealer.header
    for piece in pieces:
        plain.add(piece)
        progress(plain.size)
        if sealed := sealer.update(squeeze.compress(piece) if compress else piece):
            yield sealed
    if compress and (sealed := sealer.update(squeeze.flush())):
        yield sealed
    yield sealer.finish()


class _Readable:
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._pieces = Pieces(chunks)

    def read(self, length: int) -> bytes:
        return self._pieces.take(length)


def _decompressed(chunks: Iterable[bytes], file: StoredFile) -> Iterator[bytes]:
    # Read in pieces, since a chunk of nothing but zeros becomes thousands of times as long.
    stretch = zstandard.ZstdDecompressor().stream_reader(_Readable(chunks))  # type: ignore[arg-type]
    try:
        while piece := stretch.read(_MIB):
            yield piece
    except zstandard.ZstdError as error:
        raise SealBroken(f"{file.key} opens, and is not compressed data: {error}") from error


class _Parts:
    """Cuts a stream into parts and uploads a few of them at once."""

    def __init__(self, upload: Multipart, size: int) -> None:
        self._upload, self._size = upload, size
        self._waiting = bytearray()
        self._number = 0
        self._under_way: list[Future[Part]] = []
        self._done: list[Part] = []
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="upload")

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *exception: object) -> None:
        # Not abandoned: an abort must not meet a part that is still under way.
        self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, sealed: bytes) -> None:
        self._waiting += sealed
        while len(self._waiting) >= self._size:
            with memoryview(self._waiting) as waiting:
                body = bytes(waiting[: self._size])
            del self._waiting[: self._size]
            self._send(body)

    def finish(self) -> list[Part]:
        if self._waiting:
            self._send(bytes(self._waiting))
        self._settle(0)
        return self._done

    def _send(self, body: bytes) -> None:
        self._settle(_AT_ONCE - 1)
        self._number += 1
        self._under_way.append(self._pool.submit(self._upload.upload, self._number, body))

    def _settle(self, most: int) -> None:
        while len(self._under_way) > most:
            self._done.append(self._under_way.pop(0).result())
