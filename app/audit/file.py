"""The file that one process writes: appended, synced, rotated by renaming, never half a line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from flowrex.audit.record import Link, Record, append, begin
from flowrex.errors import FlowrexError
from flowrex.files import sync

ROTATE_BYTES = 64 * 1024 * 1024
# Below this much free space nothing is begun that would have to be recorded.
RESERVE_BYTES = 16 * 1024 * 1024


class AuditFailed(FlowrexError):
    """The audit trail can't be written."""


class AuditFile:
    """One process's file and its chain; for one thread."""

    def __init__(self, folder: Path, name: str, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        """Choose the file's name; it is made with its first line.

        Args:
            folder: where the node's agent looks.
            name: of this process, unlike any other's that ever wrote there.
            rotate_bytes: size at which the file is renamed and a new one begun.
        """
        self.path = folder / f"{name}.jsonl"
        self._rotate_bytes = rotate_bytes
        self._descriptor: int | None = None
        self._size = 0
        self._rotations = 0
        self._link: Link = begin()

    def write(self, records: Sequence[Record]) -> None:
        """Append records and bring them to the disk, all or none.

        Args:
            records: in the order in which they stand in the file.

        Raises:
            AuditFailed: none of them counts; the file ends where it ended before.
        """
        lines, link = [], self._link
        for record in records:
            line, link = append(record, link)
            lines.append(line)
        content = b"".join(lines)
        try:
            if self._size >= self._rotate_bytes:
                self._rotate()
            descriptor = self._open()
            _write_all(descriptor, content)
            os.fdatasync(descriptor)
        except OSError as error:
            self._take_back()
            raise AuditFailed(f"{self.path} can't be written: {error.strerror}") from error
        self._link = link
        self._size += len(content)

    def has_room(self) -> bool:
        """Tell whether the disk has space left for what is about to be recorded."""
        try:
            return shutil.disk_usage(self.path.parent).free >= RESERVE_BYTES
        except OSError:
            return False

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o640)
            try:
                sync(self.path.parent)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor, self._size = descriptor, os.fstat(descriptor).st_size
        return self._descriptor

    def _rotate(self) -> None:
        self.close()
        self._rotations += 1
        self.path.rename(self.path.with_name(f"{self.path.name}.{self._rotations}"))
        self._size = 0

    def _take_back(self) -> None:
        if self._descriptor is None:
            return
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            # What is half there ends this file and its chain; the next line begins new ones.
            self._size = self._rotate_bytes
            self._link = begin()


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
