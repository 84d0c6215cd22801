"""What must outlive a restart of the agent: when things were last tried, and what came of it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

from flowrex.files import write_atomic

log = logging.getLogger(__name__)


@dataclass
class State:
    """Times of what was done, each aware; None: never.

    Attributes:
        checked_at: when `check` was last begun.
        verify_begun_at: when a verification was last begun.
        verified_at: when one last found everything right.
        expired_at: when old backups were last deleted.
    """

    checked_at: datetime | None = None
    verify_begun_at: datetime | None = None
    verified_at: datetime | None = None
    expired_at: datetime | None = None

    @classmethod
    def load(cls, path: Path) -> State:
        """Read it; one that can't be read is none, so that everything is done anew."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            known = {field.name for field in fields(cls)}
            found = {
                name: None if text is None else datetime.fromisoformat(text)
                for name, text in document.items()
                if name in known
            }
            if any(time is not None and time.tzinfo is None for time in found.values()):
                raise ValueError("a time has no zone")
            return cls(**found)
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("the record of physical backups is unreadable: %s", error)
            return cls()

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        document = {
            name: None if time is None else time.isoformat() for name, time in asdict(self).items()
        }
        write_atomic(path, json.dumps(document, indent=1) + "\n", mode=0o600)
