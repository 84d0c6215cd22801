"""The kill switch's meaning: what the value of `flowrex/emergency` says. Pure, and never raises.

The table (docs/reference/consul-keys.md):

    absent, or the bare word `off`              normal
    the bare word `on`                          halt
    {"level": …, "reason", "by", "at"}          that level
    anything else                               halt, and `problem` says what could not be read

A bare word may have any case and blanks around it. What can't be read is an emergency, because the
opposite mistake can't be taken back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

# A value of the key is a short document; a longer one is not read.
LONGEST_VALUE = 16_384


class Level(IntEnum):
    """How much is stopped; each level does what those below it do as well."""

    NORMAL = 0
    HALT = 1  # no new risk; exits are allowed
    CANCEL = 2  # open orders are cancelled
    FLATTEN = 3  # positions are closed
    STOP = 4  # maintenance mode

    @property
    def word(self) -> str:
        """The level as it is written in the key; `off` for normal."""
        return "off" if self is Level.NORMAL else self.name.lower()


WORDS = tuple(level.word for level in Level if level is not Level.NORMAL)


@dataclass(frozen=True)
class Emergency:
    """What the key says.

    Attributes:
        level: what is stopped.
        reason: why, in the words of the person who switched it; empty where nobody said.
        by: who switched it.
        at: when, as an ISO 8601 time, as the key says it.
        problem: what could not be read; empty where the value is as it should be.
    """

    level: Level = Level.NORMAL
    reason: str = ""
    by: str = ""
    at: str = ""
    problem: str = ""

    @property
    def active(self) -> bool:
        """Whether anything is stopped."""
        return self.level is not Level.NORMAL

    def encode(self) -> str:
        """Return the value to write into the key."""
        fields = {"level": self.level.word, "reason": self.reason, "by": self.by, "at": self.at}
        return json.dumps(fields, ensure_ascii=False)


NORMAL = Emergency()


def parse(value: bytes | None) -> Emergency:
    """Return what the key's value means.

    Args:
        value: the bytes in Consul; None where there is no such key.
    """
    if value is None:
        return NORMAL
    if len(value) > LONGEST_VALUE:
        return _unreadable(f"it is {len(value)} bytes long; at most {LONGEST_VALUE} are read")
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError:
        return _unreadable("it is not UTF-8")
    word = text.lower()
    if word == "off":
        return NORMAL
    if word == "on":
        return Emergency(Level.HALT)
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return _unreadable(f"it is neither on, off nor JSON ({type(error).__name__})")
    return _from_document(document)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _from_document(document: object) -> Emergency:
    if not isinstance(document, dict):
        return _unreadable(f"it is JSON, but a {type(document).__name__} and no object")
    texts = {name: document.get(name, "") for name in ("reason", "by", "at")}
    said = {name: text if isinstance(text, str) else "" for name, text in texts.items()}
    problem = "; ".join(
        f"`{name}` is no text" for name, text in texts.items() if not isinstance(text, str)
    )
    level = document.get("level")
    if level == "off" and not problem:
        # Off is explicit too: only the whole document, with all that it says readable, is one.
        return Emergency(Level.NORMAL, **said)
    if not isinstance(level, str) or level not in WORDS:
        return Emergency(Level.HALT, **said, problem=f"`level` is none of {', '.join(WORDS)}, off")
    return Emergency(Level[level.upper()], **said, problem=problem)


def _unreadable(problem: str) -> Emergency:
    return Emergency(Level.HALT, problem=problem)
