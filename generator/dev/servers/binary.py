"""What a look for a server finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Origin = Literal["setting", "path", "cache", "release", "build"]


@dataclass(frozen=True)
class Binary:
    """A server's program, of the pinned version.

    `origin` is where it was found, or how it was just had; `notes` are sentences for a person,
    for example that a binary on PATH was passed over.
    """

    name: str
    version: str
    path: Path
    origin: Origin
    notes: tuple[str, ...] = ()

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints for it."""
        return {
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "origin": self.origin,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Missing:
    """A server that is not on this machine yet; `way` says how it would be had."""

    name: str
    version: str
    way: str
    notes: tuple[str, ...] = ()

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints for it."""
        return {
            "name": self.name,
            "version": self.version,
            "path": None,
            "origin": None,
            "way": self.way,
            "notes": list(self.notes),
        }
