"""Which files have waited for long, so that what a kill took with them is known afterwards.

Of a file that was removed and not shipped, nothing is left when the agent's process ends without
saving it; its size is known from here alone. Nothing is written while all is shipped in time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.audit.file import AuditFile
from agents.cursor import Cursor, Loss
from flowrex.audit.segment import FileId, parse_file_id
from flowrex.files import write_atomic

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waiting:
    """A file that waits.

    Attributes:
        path: what it was called.
        size: how long it was.
    """

    path: str
    size: int


def save(path: Path, waiting: Mapping[FileId, Waiting]) -> None:
    """Write down which files wait.

    Raises:
        OSError: it can't be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    document = {str(file): asdict(one) for file, one in waiting.items()}
    write_atomic(path, json.dumps(document), mode=0o600)


def load(path: Path) -> dict[FileId, Waiting]:
    """Return which files waited; none where that is not known."""
    try:
        document = json.loads(path.read_bytes())
        return {parse_file_id(name): Waiting(**one) for name, one in document.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.error("which files waited is not known", extra={"error": str(error)})
        return {}


def gone(waiting: Mapping[FileId, Waiting], files: Iterable[AuditFile]) -> dict[FileId, Waiting]:
    """Return the files that waited and are neither there, nor in a copy of their bytes.

    Args:
        waiting: the files that waited.
        files: what can be read now.
    """
    there = [(file.id, file.size) for file in files]
    return {
        file: one
        for file, one in waiting.items()
        if not any(
            other == file or (other.fingerprint == file.fingerprint and size >= one.size)
            for other, size in there
        )
    }


def losses(missing: Mapping[FileId, Waiting], cursor: Cursor) -> dict[FileId, Loss]:
    """Return what a sink never got of files that are gone.

    Args:
        missing: the files.
        cursor: how far the sink has come.
    """
    return {
        file: Loss(one.path, one.size)
        for file, one in missing.items()
        if cursor.left(file, one.size)
    }
