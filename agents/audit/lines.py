"""Which bytes are good lines. Pure.

A good line is one JSON object in UTF-8, ended by a newline, of at most the longest line's bytes.
Every line is parsed whole, by the standard library's scanner, which costs less than a third of what
the whole walk may cost; a look at the first and last byte would let half a line pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from flowrex.audit.segment import QUARANTINED, quarantine

NOT_JSON = "not a JSON object"
NOT_UTF8 = "not UTF-8"
RESERVED = "looks like a quarantined line"
TOO_LONG = "too long"
UNTERMINATED = "no newline at the end of the file"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


# The decoder's own scanner takes a place to begin at, so that a block need not be split.
_scan: Callable[[str, int], tuple[object, int]] = vars(
    json.JSONDecoder(parse_constant=_no_constant)
)["scan_once"]


def count_good(block: bytes) -> int | None:
    """Return the number of lines of a block, or None where one of them is no good line.

    Args:
        block: whole lines, the last newline included.
    """
    if QUARANTINED in block:
        return None
    scan, at, lines = _scan, 0, 0
    try:
        text = block.decode("utf-8")
        length = len(text)
        while at < length:
            if text[at] != "{":
                return None
            _, at = scan(text, at)
            if text[at] != "\n":
                return None
            at += 1
            lines += 1
    except (ValueError, StopIteration, IndexError, RecursionError):
        return None
    # JSON takes a newline between two of its words for a blank; here it ends the line.
    return lines if lines == block.count(b"\n") else None


def sift(block: bytes, offset: int) -> tuple[bytes, int, int]:
    """Return a block with each line that is not good in its quarantined form.

    Args:
        block: whole lines, the last newline included.
        offset: where in the file it begins.

    Returns:
        The lines to keep, how many they are, and how many of them are quarantined.
    """
    kept, bad = [], 0
    lines = block.splitlines(keepends=True) if b"\r" not in block else _split(block)
    for line in lines:
        if reason := _problem(line):
            kept.append(quarantine(line, offset, reason))
            bad += 1
        else:
            kept.append(line)
        offset += len(line)
    return b"".join(kept), len(lines), bad


def _split(block: bytes) -> list[bytes]:
    return [line + b"\n" for line in block.split(b"\n")[:-1]]


def _problem(line: bytes) -> str:
    if count_good(line) == 1:
        return ""
    if line.startswith(QUARANTINED):
        return RESERVED
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return NOT_UTF8
    return NOT_JSON
