"""What is not shown of records: the redaction list.

The trail itself is never changed: it must be kept, and its proof would be gone. Who may not be
shown to the reader of a search or an export is left out on the way:

    # fields that are never shown
    fields: [source, user_agent, detail.email]
    # persons who are shown as somebody, the same one throughout an export
    persons: [desk-7, anna@example.com]

A redacted record says so in `redacted`; its `hash` is that of the record as it is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowrex.settings import schema, source
from flowrex.settings.declare import setting

_HIDDEN = "[redacted]"


@dataclass(frozen=True, kw_only=True)
class _List:
    """The redaction list as a file has it."""

    fields: tuple[str, ...] = setting("Fields that are never shown.")
    persons: tuple[str, ...] = setting("Persons who are shown as somebody.")


@dataclass(frozen=True)
class Redaction:
    """What is hidden.

    Attributes:
        fields: names of fields; `detail.x` for one inside.
        persons: whose name is replaced wherever it is a whole value or a part of a path.
        salt: makes the replacements of this export unlike those of another.
    """

    fields: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    salt: str = field(default_factory=lambda: secrets.token_hex(8))

    def apply(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record as it may be shown."""
        shown = dict(record)
        if isinstance(shown.get("detail"), Mapping):
            shown["detail"] = dict(shown["detail"])
        hidden = [name for name in self.fields if _hide(shown, name)]
        persons = [name for name in shown if self._without_persons(shown, name)]
        if isinstance(shown.get("detail"), dict):
            inside = shown["detail"]
            persons += [f"detail.{name}" for name in inside if self._without_persons(inside, name)]
        if hidden or persons:
            shown["redacted"] = sorted({*hidden, *persons})
        return shown

    def _without_persons(self, values: dict[str, Any], name: str) -> bool:
        value = values[name]
        if not isinstance(value, str) or not value:
            return False
        parts = [
            self._somebody(part) if part in self.persons else part for part in value.split("/")
        ]
        now = self._somebody(value) if value in self.persons else "/".join(parts)
        values[name] = now
        return now != value

    def _somebody(self, person: str) -> str:
        return "person-" + hashlib.sha256(f"{self.salt}/{person}".encode()).hexdigest()[:12]


def _hide(record: dict[str, Any], name: str) -> bool:
    outer, _, inner = name.partition(".")
    if inner:
        inside = record.get(outer)
        return isinstance(inside, dict) and _hide(inside, inner)
    if outer not in record or record[outer] in (None, "", _HIDDEN):
        return False
    record[outer] = _HIDDEN
    return True


def load(path: Path) -> Redaction:
    """Return a redaction list.

    Args:
        path: a YAML file with `fields` and `persons`, both of which may be left out.

    Raises:
        ConfigurationError: it can't be read; with file and line.
    """
    said = source.read(path, str(path))
    assert isinstance(said.content, Mapping)
    absent: dict[str, object] = {
        name: () for name in ("fields", "persons") if name not in said.content
    }
    made = schema.build(_List, said, reference="docs/audit.md", **absent)
    return Redaction(made.fields, made.persons)
