"""The moment to which a database is restored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from flowrex.errors import UsageError

Kind = Literal["time", "lsn", "name", "immediate", "end"]

_LSN = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
# PostgreSQL's own limit of a restore point's name.
_NAME_BYTES = 63
_FORMS = (
    "Write a time with its zone (2026-03-01T14:05:00+01:00), an LSN (0/5000060), the name of a "
    "restore point, `end` or `immediate`. `name:…` takes what follows as a name."
)


@dataclass(frozen=True)
class Target:
    """A moment.

    Attributes:
        kind: how it is given; `end` is all that was archived, `immediate` the end of the backup.
        text: what pgBackRest is told, "" for the two last kinds.
        time: the moment, where it is a time.
    """

    kind: Kind
    text: str = ""
    time: datetime | None = None

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end of what was archived"
        if self.kind == "immediate":
            return "the end of the backup"
        return f"{'restore point' if self.kind == 'name' else self.kind} {self.text}"


def parse(text: str, *, now: datetime) -> Target:
    """Return the moment that `--to` names.

    Args:
        text: what was typed.
        now: the present, aware; a moment after it is refused.

    Raises:
        UsageError: it is none, is a time without a zone, or has not come yet.
    """
    word = text.strip()
    if word in ("end", "latest"):
        return Target("end")
    if word == "immediate":
        return Target("immediate")
    if word.startswith("name:"):
        return _name(word.removeprefix("name:"))
    if _LSN.fullmatch(word):
        return Target("lsn", word.upper())
    if _DATE.fullmatch(word):
        return _time(word, now)
    return _name(word)


def _time(word: str, now: datetime) -> Target:
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise UsageError(f"{word!r} is no time", hint=_FORMS) from None
    if moment.tzinfo is None:
        raise UsageError(
            f"{word!r} has no time zone, so that it could be any of two dozen moments",
            hint=f"Write {word}Z for UTC, or {word}+01:00.",
        )
    moment = moment.astimezone(UTC)
    if moment > now:
        raise UsageError(
            f"{word!r} has not come yet; it is {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            hint="`--to end` restores all that was archived.",
        )
    return Target("time", moment.strftime("%Y-%m-%d %H:%M:%S.%f+00"), moment)


def _name(word: str) -> Target:
    if not word or len(word.encode()) > _NAME_BYTES or not word.isprintable():
        raise UsageError(f"{word!r} is no name of a restore point", hint=_FORMS)
    return Target("name", word)
