"""How far behind a sink is. Pure but for reading the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.audit.choose import Readiness, waits
from agents.audit.file import AuditFile
from agents.cursor import Cursor


@dataclass(frozen=True)
class Lag:
    """What is not shipped yet.

    Attributes:
        bytes: how much.
        seconds: since when the oldest of it is there.
        files: by path, the bytes of each file that has some.
    """

    bytes: int = 0
    seconds: float = 0
    files: dict[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it for the status."""
        worst = sorted(self.files.items(), key=lambda one: -one[1])[:20]
        return {
            "bytes": self.bytes,
            "seconds": round(self.seconds, 1),
            "files": dict(worst),
            "files_behind": len(self.files),
        }


def lag(files: Sequence[AuditFile], cursor: Cursor, when: Readiness, now: float) -> Lag:
    """Return how far behind a sink is.

    Args:
        files: what there is, also what has no first line yet.
        cursor: how far the sink has come.
        when: how long half a line is waited for.
        now: the monotonic time in seconds.
    """
    behind: dict[str, int] = {}
    oldest = now
    known = [file for file in files if file.fingerprint]
    for file in files:
        if not file.fingerprint:
            if file.size:
                behind[str(file.path)] = file.size
                oldest = min(oldest, file.waiting_since(0) or now)
        elif choice := waits(file, known, cursor, when, now):
            behind[str(file.path)] = file.size - choice.offset
            oldest = min(oldest, choice.since)
    return Lag(sum(behind.values()), now - oldest, behind)
