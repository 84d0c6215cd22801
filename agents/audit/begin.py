"""Where shipping of a file that is new to a sink begins. Pure but for reading the files.

Usually at its first byte. But `copytruncate` copies a file, then cuts the original off: what the
copy has of the original was shipped already, up to where that one had been read, and the rest is to
be had from the copy alone.

A file is taken for a copy where its name goes on where another's ends (`audit.jsonl.1`,
`audit.jsonl-20260301`), in the same folder, both begin with the same first line, and it has the
bytes of the other's last segment in the same place. Where the other's name is forgotten, the bytes
alone tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from agents.audit.file import AuditFile
from agents.cursor import Position
from flowrex.audit.segment import FileId

# What is compared of two files that may be alike so far.
SAMPLE = 4096


@dataclass(frozen=True)
class Beginning:
    """Where shipping begins.

    Attributes:
        offset: the first byte to ship.
        copy_of: the file that it is a copy of, if it is one.
    """

    offset: int = 0
    copy_of: FileId | None = None


def beginning(
    file: AuditFile, positions: Mapping[FileId, Position], others: Collection[AuditFile]
) -> Beginning | None:
    """Return where to begin with a file, or None where that can't be told yet.

    It can't while a file that it may be a copy of is whole: that one is read, and this one waits.

    Args:
        file: new to the sink.
        positions: how far the sink has come in the files that it knows.
        others: the files that can be read now.
    """
    readable = {other.id: other for other in others if other is not file}
    for known, position in positions.items():
        if not position.offset or not _may_be_copy(file, known, position):
            continue
        original = readable.get(known)
        if original is None:
            if file.holds(position.start, position.offset, position.content):
                return Beginning(position.offset, known)
        elif _alike(file, original, min(file.size, position.offset)):
            return None
    for original in readable.values():
        # Found in one poll, the original and its copy: neither was read.
        if original.id not in positions and _name_extends(file, str(original.path)):
            alike = original.fingerprint == file.fingerprint
            if alike and _alike(file, original, min(file.size, original.size)):
                return None
    return Beginning()


def _may_be_copy(file: AuditFile, known: FileId, position: Position) -> bool:
    return (
        known.fingerprint == file.fingerprint
        and (known.device, known.inode) != (file.device, file.inode)
        and (not position.path or _name_extends(file, position.path))
    )


def _name_extends(file: AuditFile, path: str) -> bool:
    new, old = file.path, PurePath(path)
    return new.parent == old.parent and new.name != old.name and new.name.startswith(old.name)


def _alike(file: AuditFile, original: AuditFile, at: int) -> bool:
    begin = max(0, at - SAMPLE)
    return file.read(begin, at - begin) == original.read(begin, at - begin)
