"""Which audit files there are: found by patterns, kept open, told apart when names are used again.

It polls. inotify would tell sooner, and would need a watch in each folder of each allocation, lose
events when its queue is full, and see nothing on network file systems. A poll reads the folders and
one status of each file: a line is seen half a poll later on average, and a poll at most.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from agents.audit.file import AuditFile, open_file
from agents.audit.patterns import Pattern
from agents.audit.rescue import discard, save, saved

log = logging.getLogger(__name__)


@dataclass
class Tail:
    """The files. One thread polls, others read.

    Attributes:
        patterns: by class, the glob patterns whose files are shipped.
        settle_s: seconds without growth after which a file that lost its name is finished. A writer
            may have it open still, and write a last line.
        keep: where the rest of removed files is saved; None where it is not.
        files: what is open or known, by device and inode.
        saved: removed files of which only a copy is left. Their inodes may be used again.
        cut_off: what was truncated before it was read to its end; kept until all know.
        refused: names that can't be opened, with the reason.
    """

    patterns: Mapping[str, Sequence[str]]
    settle_s: float = 60
    keep: Path | None = None
    files: dict[tuple[int, int], AuditFile] = field(default_factory=dict)
    saved: list[AuditFile] = field(default_factory=list)
    cut_off: list[AuditFile] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    polled: float = float("-inf")
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        """Take the patterns apart, once."""
        self._compiled = {
            category: [Pattern(one) for one in patterns]
            for category, patterns in self.patterns.items()
        }

    def poll(self, now: float) -> None:
        """Look at all folders and all files once.

        Args:
            now: the monotonic time in seconds.
        """
        found = self._names()
        with self._lock:
            # Known ones first: what is at a name may be another file than a moment ago.
            for key, file in list(self.files.items()):
                self._look(key, file, now)
            present = set()
            for name, (category, device, inode) in found.items():
                present.add((device, inode))
                self._meet(Path(name), category, (device, inode), now)
            for key, file in self.files.items():
                if not file.gone and key not in present and not self._leads_to(file):
                    file.gone = True
                if file.gone and not file.fingerprint and self.finished(file, now):
                    file.identify(whole=True)
            self._drop_doubles()
            self.polled = now

    def finished(self, file: AuditFile, now: float) -> bool:
        """Tell whether nothing will be added to a file any more."""
        return file.gone and now - file.seen >= self.settle_s

    def now_finished(self) -> None:
        """Count every file without a name as finished at once: the agent stops."""
        with self._lock:
            for file in self.files.values():
                if file.gone:
                    file.seen = float("-inf")

    def all(self) -> list[AuditFile]:
        """Return all files, also those without a first line."""
        with self._lock:
            return [*self.files.values(), *self.saved]

    def readable(self) -> list[AuditFile]:
        """Return the files that have a first line."""
        return [file for file in self.all() if file.fingerprint]

    def saved_bytes(self) -> int:
        """Return how much disk the copies of removed files take."""
        with self._lock:
            return sum(os.fstat(file.descriptor).st_blocks * 512 for file in self.saved)

    def restore(self, now: float) -> None:
        """Open what is left of files that were removed in an earlier life of the agent.

        Args:
            now: the monotonic time in seconds.
        """
        if self.keep is not None:
            with self._lock:
                self.saved = saved(self.keep, now)

    def save(self, file: AuditFile, start: int) -> None:
        """Save the rest of a removed file, and read it from there.

        Args:
            file: to which nothing is added any more, or which this process can't keep open.
            start: the first byte that is wanted.

        Raises:
            OSError: there is no room, or the disk fails; the file stays open.
        """
        key = (file.device, file.inode)
        with self._lock:
            if self.keep is None or self.files.get(key) is not file:
                return
            file.read_from(save(file, start, self.keep))
            del self.files[key]
            self.saved.append(file)
        log.info("the rest of a removed file is saved", extra={"path": str(file.path)})

    @contextmanager
    def pinned(self, file: AuditFile) -> Iterator[bool]:
        """Keep a file from being closed for the length of a block; false where it is closed."""
        with self._lock:
            pinned = file.descriptor >= 0
            file.pins += 1
        try:
            yield pinned
        finally:
            with self._lock:
                file.pins -= 1

    def forget(self, file: AuditFile) -> None:
        """Close a file that all have read to its end and that is finished, or was cut off."""
        with self._lock:
            if file.pins:
                return  # the next poll tries again
            if self.files.get((file.device, file.inode)) is file:
                del self.files[file.device, file.inode]
            if file in self.cut_off:
                self.cut_off.remove(file)
            file.close()
            if file in self.saved:
                self.saved.remove(file)
                assert file.copy is not None
                discard(file.copy)

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for file in [*self.files.values(), *self.saved, *self.cut_off]:
                file.close()
            self.files.clear()
            self.saved.clear()
            self.cut_off.clear()

    def _drop_doubles(self) -> None:
        """Drop the copy of a file that is there itself: its name was only out of the patterns."""
        there = {file.id: file.size for file in self.files.values() if file.fingerprint}
        for file in list(self.saved):
            if there.get(file.id, 0) >= file.size:
                self.forget(file)

    def _look(self, key: tuple[int, int], file: AuditFile, now: float) -> None:
        file.look(now)
        if not file.truncated:
            return
        log.warning("an audit file was cut off", extra={"path": str(file.path), "size": file.size})
        again = AuditFile(
            file.path, file.category, os.dup(file.descriptor), *key, seen=now, gone=file.gone
        )
        again.look(now)
        self.cut_off.append(file)
        self.files[key] = again

    def _meet(self, path: Path, category: str, key: tuple[int, int], now: float) -> None:
        if known := self.files.get(key):
            known.path, known.gone = path, False
            return
        try:
            file = open_file(path, category, now)
        except OSError as error:
            self._refuse(path, error)
            return
        self.refused.pop(str(path), None)
        if file is None:
            return
        key = (file.device, file.inode)
        if key in self.files:  # renamed between the look at the name and the opening
            file.close()
        else:
            self.files[key] = file

    def _refuse(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        if self.refused.get(str(path)) != reason:
            log.error("an audit file can't be opened", extra={"path": str(path), "error": reason})
        self.refused[str(path)] = reason

    def _names(self) -> dict[str, tuple[str, int, int]]:
        found: dict[str, tuple[str, int, int]] = {}
        for category, patterns in self._compiled.items():
            for pattern in patterns:
                for name in pattern.names():
                    if name in found:
                        continue
                    try:
                        status = os.lstat(name)
                    except OSError:
                        continue  # removed since it was listed
                    if S_ISREG(status.st_mode):
                        found[name] = (category, status.st_dev, status.st_ino)
        return found

    def _leads_to(self, file: AuditFile) -> bool:
        """Tell whether a file is still at its name; it may have been renamed during the listing."""
        try:
            status = os.lstat(file.path)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == (file.device, file.inode)
