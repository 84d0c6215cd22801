"""What is found out about a backup after it was made: small objects beside its manifest.

Each is written once, under a name with its time, so none is ever changed: `hold-…` keeps a backup,
a later `release-…` lets it go, `verified-…` and `drilled-…` tell what came of looking at it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

Kind = Literal["hold", "release", "verified", "drilled"]
KINDS: tuple[str, ...] = get_args(Kind)

_STAMP = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(rf"({'|'.join(KINDS)})-(\d{{8}}T\d{{6}}\.\d{{6}}Z)-(good|bad)\.json")


@dataclass(frozen=True)
class Record:
    """One of them.

    Attributes:
        kind: what it is.
        at: when.
        good: whether what was looked at is good; True for a hold and a release.
        by: who did it: a node, or an operator.
        text: why, or what was found.
        details: figures, by name.
    """

    kind: Kind
    at: datetime
    good: bool = True
    by: str = ""
    text: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of its object's name, which tells what a list has to know."""
        return (
            f"{self.kind}-{self.at.astimezone(UTC):{_STAMP}}-{'good' if self.good else 'bad'}.json"
        )

    def encode(self) -> bytes:
        """Return the object's content."""
        document = {"by": self.by, "text": self.text, "details": dict(self.details)}
        return json.dumps(document, sort_keys=True).encode() + b"\n"


def from_name(name: str) -> Record | None:
    """Return what an object's name tells, or None where it is none of a record."""
    found = _NAME.fullmatch(name)
    if not found:
        return None
    kind: Any = found[1]
    at = datetime.strptime(found[2], _STAMP).replace(tzinfo=UTC)
    return Record(kind, at, good=found[3] == "good")


def completed(record: Record, content: bytes) -> Record:
    """Return a record with what its object says."""
    try:
        document = json.loads(content)
        by, text = str(document.get("by", "")), str(document.get("text", ""))
        details = document.get("details")
    except (ValueError, AttributeError, RecursionError):
        return Record(record.kind, record.at, record.good, text="its record can't be read")
    return Record(
        record.kind, record.at, record.good, by, text, details if isinstance(details, dict) else {}
    )


def held(records: Iterable[Record]) -> bool:
    """Tell whether the last word is a hold."""
    last = _last(records, "hold", "release")
    return last is not None and last.kind == "hold"


def verified(records: Iterable[Record]) -> Record | None:
    """Return what came of looking at the backup last, by reading or by restoring it."""
    return _last(records, "verified", "drilled")


def drilled(records: Iterable[Record]) -> Record | None:
    """Return what came of restoring it last."""
    return _last(records, "drilled")


def _last(records: Iterable[Record], *kinds: str) -> Record | None:
    return max((one for one in records if one.kind in kinds), key=lambda one: one.at, default=None)
