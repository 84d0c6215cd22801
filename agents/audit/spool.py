"""The segment that is being shipped, on disk, whole, before anything is sent.

It stays there after its acknowledgement until the next one takes its place. So it also tells a
cursor that is of its own time from one that was put back.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from agents.cursor import Cursor
from agents.sinks.sink import Segment
from flowrex.audit.segment import Opened, SegmentDamaged
from flowrex.files import write_atomic

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Spool:
    """A place for one segment.

    Attributes:
        path: the file.
    """

    path: Path

    def put(self, segment: Segment) -> None:
        """Put a segment in the place of the one before.

        Raises:
            OSError: the disk is full, or fails.
        """
        write_atomic(self.path, segment.body, mode=0o600)

    def pending(self, cursor: Cursor | None) -> Segment | None:
        """Return the segment that was made and not yet acknowledged, if there is one.

        Args:
            cursor: how far the sink has come.
        """
        try:
            body = self.path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            head = Opened([body]).head
        except SegmentDamaged as error:
            # It was written atomically, so the disk did this; its bytes are in the file still.
            log.error("the spool is damaged", extra={"path": str(self.path), "error": str(error)})
            self.path.unlink()
            return None
        if cursor is None or head.number != cursor.number + 1:
            return None
        digest = hashlib.sha256(body).hexdigest()
        return Segment(head, body, digest) if head.predecessor == cursor.digest else None

    def vouches(self, cursor: Cursor) -> bool:
        """Tell whether it has the very segment that a cursor says was shipped last."""
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest() == cursor.digest
        except FileNotFoundError:
            return False

    def set_aside(self, digest: str) -> None:
        """Keep the segment beside, where the sink has another, with this SHA-256, in its place."""
        self.path.replace(self.path.with_name(f"conflict-{digest[:16]}"))
