"""How far a sink has come in each file, and in its own chain. Saved only after an acknowledgement.

The file has two lines: the document, and its SHA-256. So a cursor that was half-written or changed
is known as such, and what to do then is the sink's: a bucket can be asked what is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from flowrex.audit.segment import NO_PREDECESSOR, FileId, parse_file_id
from flowrex.errors import FlowrexError
from flowrex.files import write_atomic

_VERSION = 1


class CursorDamaged(FlowrexError):
    """A saved cursor can't be used."""

    exit_status = 3


@dataclass(frozen=True)
class Position:
    """How far one file is shipped.

    Attributes:
        offset: the first byte that is not shipped.
        origin: where shipping of this file began.
        path: what it was called; empty where that is forgotten.
        start: where its last segment begins.
        content: the SHA-256 of the bytes from there to `offset`, to know the file or a copy by.
        used: when it was last moved, in seconds since the epoch; old ones are dropped.
        category: the class of its records; empty where that is forgotten.
    """

    offset: int
    origin: int = 0
    path: str = ""
    start: int = 0
    content: str = ""
    used: float = 0
    category: str = ""


@dataclass(frozen=True)
class Missing:
    """A segment that a sink had acknowledged, and does not have any more.

    Attributes:
        number: its number.
        key: its name.
        digest: its SHA-256.
    """

    number: int
    key: str
    digest: str


@dataclass(frozen=True)
class Loss:
    """A file that is gone, and was not shipped to its end.

    Attributes:
        path: what it was called.
        size: how long it was, at least.
    """

    path: str
    size: int


@dataclass(frozen=True)
class Cursor:
    """The state of one sink.

    Attributes:
        number: of the last acknowledged segment; 0 before the first.
        digest: that segment's SHA-256.
        files: the positions by file.
        key: that segment's name; empty where it is forgotten.
        missing: the newest segment that is known to be gone; None where none is.
        lost: files that were gone before they were shipped to their end.
    """

    number: int = 0
    digest: str = NO_PREDECESSOR
    files: Mapping[FileId, Position] = field(default_factory=dict)
    key: str = ""
    missing: Missing | None = None
    lost: Mapping[FileId, Loss] = field(default_factory=dict)

    def moved(self, number: int, digest: str, key: str, file: FileId, position: Position) -> Cursor:
        """Return the cursor after one more acknowledged segment."""
        files = {**self.files, file: position}
        return replace(self, number=number, digest=digest, key=key, files=files)

    def left(self, file: FileId, size: int) -> int:
        """Return how much of a file that is so long is not shipped."""
        position = self.files.get(self.generation(file))
        return max(0, size - (position.offset if position else 0))

    def lost_bytes(self) -> dict[str, int]:
        """Return by path what was lost with files; less where one is shipped on after all."""
        found: dict[str, int] = {}
        for file, one in self.lost.items():
            if left := self.left(file, one.size):
                found[one.path] = found.get(one.path, 0) + left
        return found

    def generation(self, file: FileId) -> FileId:
        """Return a file's newest namesake: the one with the greatest generation."""
        newest = file
        while (next_one := replace(newest, generation=newest.generation + 1)) in self.files:
            newest = next_one
        return newest

    def pruned(self, kept: Collection[FileId], before: float) -> Cursor:
        """Return the cursor without the files that are neither kept nor were used lately.

        Args:
            kept: the files that there still are.
            before: seconds since the epoch.
        """
        files = {
            file: position
            for file, position in self.files.items()
            if position.used >= before or replace(file, generation=0) in kept
        }
        return replace(self, files=files)


def save(path: Path, cursor: Cursor) -> None:
    """Write a cursor so that a crash leaves the old one or the new one.

    Raises:
        OSError: it can't be written.
    """
    document = json.dumps(
        {
            "cursor": _VERSION,
            "number": cursor.number,
            "digest": cursor.digest,
            "key": cursor.key,
            "lost": {str(file): asdict(loss) for file, loss in cursor.lost.items()},
            "missing": None if cursor.missing is None else asdict(cursor.missing),
            "files": {str(file): asdict(position) for file, position in cursor.files.items()},
        },
        separators=(",", ":"),
    )
    write_atomic(path, f"{document}\n{_checksum(document)}\n", mode=0o600)


def load(path: Path) -> Cursor | None:
    """Return the saved cursor, or None where none was saved.

    Raises:
        CursorDamaged: what is there is no cursor, or not as it was written.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        document, checksum, rest = content.decode("ascii").split("\n")
        if rest or checksum != _checksum(document):
            raise CursorDamaged(f"{path} is damaged: its checksum does not fit")
        return _parse(json.loads(document))
    except (ValueError, KeyError, TypeError) as error:
        raise CursorDamaged(f"{path} is damaged: {error}") from error


def _parse(document: dict[str, Any]) -> Cursor:
    if document["cursor"] != _VERSION:
        raise ValueError(f"it is of version {document['cursor']}")
    files = {parse_file_id(name): Position(**one) for name, one in document["files"].items()}
    missing = document.get("missing")
    return Cursor(
        document["number"],
        document["digest"],
        files,
        document.get("key", ""),
        Missing(**missing) if missing else None,
        {parse_file_id(name): Loss(**one) for name, one in document.get("lost", {}).items()},
    )


def _checksum(document: str) -> str:
    return hashlib.sha256(document.encode("ascii")).hexdigest()
