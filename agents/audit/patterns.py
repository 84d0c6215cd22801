"""Glob patterns that are asked every second: taken apart once, and one listing for each folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from pathlib import PurePosixPath

_MAGIC = re.compile(r"[*?\[]")

# A literal part of a path, or what tells whether a name fits.
_Part = str | Callable[[str], object]


class Pattern:
    """One pattern, as `glob` of the standard library has them, without `**`."""

    def __init__(self, text: str) -> None:
        """Take it apart.

        Args:
            text: an absolute pattern, such as `/srv/*/audit/*.jsonl*`.
        """
        self._parts: list[_Part] = []
        for part in PurePosixPath(text).parts:
            if _MAGIC.search(part):
                self._parts.append(_fits(part))
            elif self._parts and isinstance(self._parts[-1], str):
                self._parts[-1] = os.path.join(self._parts[-1], part)  # noqa: PTH118 - texts, for speed
            else:
                self._parts.append(part)

    def names(self) -> Iterator[str]:
        """Yield the paths that fit now; the last part may be gone again, or may never have been."""
        return _walk("", self._parts, 0)


def _walk(folder: str, parts: list[_Part], at: int) -> Iterator[str]:
    if at == len(parts):
        yield folder
        return
    part = parts[at]
    if isinstance(part, str):
        yield from _walk(f"{folder}/{part}" if folder else part, parts, at + 1)
        return
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if part(entry.name)]
    except OSError:
        return  # no such folder, or not for this user
    root = "" if folder == "/" else folder
    for name in found:
        yield from _walk(f"{root}/{name}", parts, at + 1)


def _fits(part: str) -> Callable[[str], object]:
    match = re.compile(translate(part)).match
    if part.startswith("."):
        return match
    # A leading dot is matched by a dot only, as in a shell.
    return lambda name: not name.startswith(".") and match(name)
