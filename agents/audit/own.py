"""The agent's own audit records: a chained file that is shipped like every other."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from flowrex.audit.record import Link, Record, append, begin
from flowrex.files import sync

_LARGEST = 16 << 20
PATTERN = "agent-*.jsonl"


@dataclass
class OwnTrail:
    """A file of the agent's own. A record is on disk before `write` returns.

    Attributes:
        folder: where; its files are matched by `PATTERN`.
    """

    folder: Path
    _descriptor: int = -1
    _path: Path | None = None
    _link: Link = field(default_factory=begin)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, record: Record) -> None:
        """Append a record.

        Raises:
            OSError: it can't be written; nothing of it stands then.
        """
        with self._lock:
            self._open()
            line, link = append(record, self._link)
            before = os.fstat(self._descriptor).st_size
            try:
                if os.write(self._descriptor, line) != len(line):
                    raise OSError(28, os.strerror(28))
                os.fsync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, before)
                raise
            self._link = link

    def _open(self) -> None:
        if self._descriptor >= 0 and os.fstat(self._descriptor).st_size < _LARGEST:
            return
        self.close()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"agent-{time.time_ns():020d}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            # The record in it is taken away elsewhere once it is written, so its name has to stay.
            sync(self.folder)
            sync(self.folder.parent)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        self._path, self._descriptor = path, descriptor

    def has(self, request_id: str) -> bool:
        """Tell whether a record with this request's id is in one of the files that are there."""
        wanted = f'"request_id":{json.dumps(request_id)}'.encode()
        return any(wanted in path.read_bytes() for path in self.folder.glob(PATTERN))

    def old_files(self) -> list[Path]:
        """Return the files that nothing is added to any more."""
        return [path for path in sorted(self.folder.glob(PATTERN)) if path != self._path]

    def close(self) -> None:
        """Close the file; the next record goes into another."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
