"""A segment: the object in which a range of an audit file is kept. Pure.

An object is two zstd frames, one after the other, so `zstd -dc` shows it whole:

1. the head, one JSON line: which bytes of which file these are, and the segment's place in the
   node's chain;
2. the content, JSON lines.

Every byte of the range is in it. A line that is no JSON object, or is too long, or is not UTF-8,
stands as `{"quarantined":{"offset":…,"length":…,"reason":…,"base64":…}}`, so that what is kept is
always readable, and `content` in the head is the SHA-256 of the range as it was in the file.

The name of an object follows from the file and the range's start alone. So an object that is
created only if it is absent can't be there twice, wherever a retry would cut the file.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import zstandard

from flowrex.errors import FlowrexError

PREFIX = "audit/"
SUFFIX = ".jsonl.zst"
CONTENT_TYPE = "application/zstd"
NO_PREDECESSOR = "0" * 64

_VERSION = 1
_LONGEST_HEAD = 16_384
QUARANTINED = b'{"quarantined":{"offset":'
_LEVEL = 3


class SegmentDamaged(FlowrexError):
    """An object is not the segment that was shipped."""

    exit_status = 7


@dataclass(frozen=True, order=True)
class FileId:
    """Which file: a name is used again, and so is an inode.

    Attributes:
        device: the file system's number.
        inode: the file's number in it.
        fingerprint: the first 16 digits of the SHA-256 of its first line, or of the first 4096
            bytes where that is longer.
        generation: 0, or counted up where another file had all three before.
    """

    device: int
    inode: int
    fingerprint: str
    generation: int = 0

    def __str__(self) -> str:
        suffix = f"-{self.generation}" if self.generation else ""
        return f"{self.device:x}-{self.inode:x}-{self.fingerprint}{suffix}"


@dataclass(frozen=True, kw_only=True)
class Head:
    """What a segment says of itself.

    Attributes:
        node: the node that shipped it.
        category: the class of its records, which says how long it is kept.
        number: its number in the node's chain, from 1.
        predecessor: the SHA-256 of the object before it in that chain, or 64 zeros.
        file: which file.
        path: what the file was called, for people.
        origin: the offset from which on this file is shipped: 0, unless it goes on where a file
            that it is a copy of was cut off.
        start: offset of the range's first byte.
        end: offset behind its last.
        lines: how many lines it has, the quarantined ones counted.
        quarantined: how many of them are quarantined.
        content: the SHA-256 of the range as it is in the file.
        created: when it was cut, an ISO 8601 time in UTC.
    """

    node: str
    category: str
    number: int
    predecessor: str
    file: FileId
    path: str
    origin: int
    start: int
    end: int
    lines: int
    quarantined: int
    content: str
    created: str

    @property
    def key(self) -> str:
        """The object's name."""
        return key_of(self.node, self.category, self.file, self.start)

    def encode(self) -> bytes:
        """Return the head's line, with its newline."""
        document = {"segment": _VERSION, "class": self.category, **asdict(self)}
        del document["category"]
        return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"

    def metadata(self) -> dict[str, str]:
        """Return what is kept beside the object, so that it can be placed without reading it."""
        names = ("number", "predecessor", "origin", "start", "end", "lines", "quarantined")
        return {name: str(getattr(self, name)) for name in (*names, "content", "created")}


def prefix(node: str) -> str:
    """Return what the names of all segments of a node begin with."""
    return f"{PREFIX}{node}/"


def key_of(node: str, category: str, file: FileId, start: int) -> str:
    """Return the name of the segment that begins at a byte of a node's file."""
    return f"{prefix(node)}{category}/{file}/{start:020d}{SUFFIX}"


def parse_head(line: bytes) -> Head:
    """Return the head that a line says.

    Raises:
        SegmentDamaged: it says none.
    """
    try:
        document: dict[str, Any] = json.loads(line)
        if document.pop("segment") != _VERSION:
            raise SegmentDamaged("the segment is of a newer form than this program knows")
        document["category"] = document.pop("class")
        head = Head(**document)
        return replace(head, file=FileId(**document["file"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SegmentDamaged("its first line is no head of a segment") from error


def from_metadata(key: str, metadata: dict[str, str]) -> Head:
    """Return the head of an object by its name and metadata, without its path.

    Raises:
        SegmentDamaged: it is no segment's name, or its metadata are not a segment's.
    """
    try:
        node, category, file, name = key.removeprefix(PREFIX).split("/")
        head = Head(
            node=node,
            category=category,
            number=int(metadata["number"]),
            predecessor=metadata["predecessor"],
            file=parse_file_id(file),
            path="",
            origin=int(metadata["origin"]),
            start=int(metadata["start"]),
            end=int(metadata["end"]),
            lines=int(metadata["lines"]),
            quarantined=int(metadata["quarantined"]),
            content=metadata["content"],
            created=metadata["created"],
        )
    except (ValueError, KeyError) as error:
        raise SegmentDamaged(f"{key} is no segment of the audit trail") from error
    if head.key != key or not name.endswith(SUFFIX):
        raise SegmentDamaged(f"{key} does not fit its metadata: they name {head.key}")
    return head


def parse_file_id(text: str) -> FileId:
    """Return the file that a part of an object's name stands for.

    Raises:
        ValueError: it stands for none.
    """
    device, inode, fingerprint, *generation = text.split("-")
    return FileId(int(device, 16), int(inode, 16), fingerprint, int((*generation, "0")[0]))


def compress_head(head: Head) -> bytes:
    """Return the object's first frame."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(head.encode())


def compressor() -> zstandard.ZstdCompressionObj:
    """Return what makes the second frame out of the content, piece by piece."""
    return zstandard.ZstdCompressor(level=_LEVEL).compressobj()


def quarantine(raw: bytes, offset: int, reason: str) -> bytes:
    """Return the line that stands for bytes that are no good line, its newline included.

    Args:
        raw: the bytes, with their newline if they have one.
        offset: where in the file they begin.
        reason: why.
    """
    text = base64.b64encode(raw)
    return QUARANTINED + b'%d,"length":%d,"reason":"%s","base64":"%s"}}\n' % (
        offset,
        len(raw),
        reason.encode("ascii"),
        text,
    )


def original(line: bytes) -> bytes:
    """Return the bytes that were in the file for one line of the content.

    Raises:
        SegmentDamaged: it is a quarantined line that can't be read.
    """
    if not line.startswith(QUARANTINED):
        return line
    try:
        raw = base64.b64decode(json.loads(line)["quarantined"]["base64"], validate=True)
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentDamaged("a quarantined line can't be read") from error
    return raw


class Opened:
    """An object that is being read: its head, then its lines, then its checksum."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        """Read the head.

        Args:
            chunks: the object's bytes, in pieces.

        Raises:
            SegmentDamaged: they are no segment.
        """
        self._source = _Source(chunks)
        source: Any = self._source  # it has the one method that is called
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        self._text = io.BufferedReader(reader, 262_144)
        try:
            self.head = parse_head(self._text.readline(_LONGEST_HEAD))
        except zstandard.ZstdError as error:
            raise SegmentDamaged(f"it can't be decompressed: {error}") from error

    def lines(self) -> Iterator[bytes]:
        """Yield the content's lines, newlines included.

        Raises:
            SegmentDamaged: they can't be decompressed.
        """
        try:
            yield from self._text
        except zstandard.ZstdError as error:
            raise SegmentDamaged(f"it can't be decompressed: {error}") from error

    def digest(self) -> str:
        """Return the object's SHA-256, the rest of it read if need be."""
        return self._source.digest()


class _Source:
    """A file over pieces of bytes, which are hashed as they pass."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return b""
            self._hash.update(self._rest)
        size = len(self._rest) if size < 0 else size
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def digest(self) -> str:
        for chunk in self._chunks:
            self._hash.update(chunk)
        return self._hash.hexdigest()
