"""What becomes of files that are removed before they are shipped.

While the agent has such a file open, it is read. What is left of it is saved where nothing is added
to it any more, and where the agent stops. What could not be saved, because the agent was killed or
there was no room, is counted at the next start, for good.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from agents.audit import ledger
from agents.audit.file import AuditFile
from agents.audit.lane import Lane
from agents.audit.ledger import Waiting
from agents.audit.tail import Tail
from flowrex.audit.segment import FileId

log = logging.getLogger(__name__)

# What waits longer than that is written down, and not more often than that.
_LONG_S = 30.0


class Removed:
    """The removed files of one tail; for one thread at a time.

    Attributes:
        unsaved: bytes of removed files that there is no room to save.
    """

    def __init__(self, tail: Tail, lanes: Sequence[Lane], path: Path) -> None:
        """Prepare.

        Args:
            tail: the files.
            lanes: one for each sink.
            path: the file in which it is kept what waits.
        """
        self.unsaved = 0
        self._found: list[Lane] = []
        self._tail = tail
        self._lanes = lanes
        self._path = path
        self._before: dict[FileId, Waiting] = {}
        self._uncounted: list[Lane] = []
        self._noted: dict[FileId, Waiting] = {}
        self._looked_at = float("-inf")
        self._problem = ""

    @property
    def problem(self) -> str:
        """What a person has to know, in a sentence; empty where there is nothing."""
        found = [
            f"{lane.lost} bytes that were removed before {lane.name} had them are lost"
            for lane in self._found
            if lane.lost
        ]
        if self.unsaved:
            found.append(f"{self.unsaved} bytes of removed files can't be saved: {self._problem}")
        return "; ".join(found)

    def begin(self, now: float) -> None:
        """Take up what the last life of the agent left.

        Args:
            now: the monotonic time in seconds.
        """
        self._tail.restore(now)
        self._before = self._noted = ledger.load(self._path)
        self._uncounted = list(self._lanes)

    def look(self, now: float) -> None:
        """Save what is finished, write down what waits, count what is gone; after a poll.

        Args:
            now: the monotonic time in seconds.
        """
        try:
            self._count()
        except OSError as error:  # it is counted at the next look
            log.error("what was lost can't be written down", extra={"error": str(error)})
        self._save(file for file in self._tail.all() if self._tail.finished(file, now))
        self._note(now, _LONG_S)

    def end(self, now: float) -> None:
        """Save what is left of each removed file, since nobody can open it again.

        Args:
            now: the monotonic time in seconds.
        """
        self._save(file for file in self._tail.all() if file.gone)
        self._note(now, 0)

    def _save(self, files: Iterable[AuditFile]) -> None:
        self.unsaved = 0
        for file in files:
            if file.copy is not None:
                continue
            if not file.fingerprint:
                file.identify(whole=True)
            starts = [
                start for lane in self._lanes if (start := lane.wanted_from(file)) is not None
            ]
            if not (file.fingerprint and starts):
                continue
            try:
                self._tail.save(file, min(starts))
            except OSError as error:
                self.unsaved += file.size - min(starts)
                self._problem_is(file, error.strerror or str(error))
        if not self.unsaved:
            self._problem = ""

    def _problem_is(self, file: AuditFile, problem: str) -> None:
        if problem != self._problem:
            log.error(
                "the rest of a removed file can't be saved",
                extra={"path": str(file.path), "error": problem},
            )
        self._problem = problem

    def _note(self, now: float, after_s: float) -> None:
        """Write down what waits: what was removed at once, and other files now and then."""
        if now - self._looked_at >= after_s:
            self._looked_at, files = now, self._tail.readable()
            waiting = dict(self._before)
        else:
            files = [file for file in self._tail.readable() if file.gone]
            waiting = dict(self._noted)
        for file in files:
            ages = [age for lane in self._lanes if (age := lane.waits_for(file)) is not None]
            if ages and (file.gone or max(ages) >= after_s):
                waiting[file.id] = Waiting(str(file.path), file.size)
        if waiting == self._noted:
            return
        try:
            ledger.save(self._path, waiting)
        except OSError as error:
            log.error("what waits can't be written down", extra={"error": str(error)})
            return
        self._noted = waiting

    def _count(self) -> None:
        """Count what waited in the last life and is gone, once each sink's cursor is known."""
        if not self._before:
            return
        missing = {
            file: one
            for file, one in ledger.gone(self._before, self._tail.readable()).items()
            if not _leads_to(one.path, file)
        }
        for lane in list(self._uncounted):
            cursor = lane.shipper.cursor
            if cursor is None or not lane.shipper.begun:
                continue
            losses = ledger.losses(missing, cursor)
            if losses:
                lane.shipper.lose(losses)
                self._found.append(lane)
            self._uncounted.remove(lane)
            for one in losses.values():
                log.error(
                    "a file was removed before it was shipped to its end, and is lost",
                    extra={"sink": lane.name, "path": one.path, "size": one.size},
                )
        if not self._uncounted:
            self._before = {}


def _leads_to(path: str, file: FileId) -> bool:
    """Tell whether a file is at its name: it can't be opened now, or is in no pattern any more."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (file.device, file.inode)
