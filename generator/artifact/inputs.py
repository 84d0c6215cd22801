"""What the application's artifact and the agent's packages are made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError, UsageError
from generator import git
from generator.artifact import archive

_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?")


@dataclass(frozen=True)
class Inputs:
    """What one kind of artifact is made from.

    Attributes:
        sources: the project's folders that are in it.
        lock: its Python packages, relative to the project.
    """

    sources: tuple[str, ...]
    lock: Path

    def entries(self, root: Path, below: str = "") -> list[archive.Entry]:
        """Return the sources' files.

        Args:
            root: the project.
            below: the folder of the archive that they go into, with its `/`.

        Raises:
            ConfigurationError: one of the folders is missing.
        """
        found: list[archive.Entry] = []
        for name in self.sources:
            if not (root / name).is_dir():
                raise ConfigurationError(f"there is no folder {name}", path=root)
            found += archive.tree(root / name, f"{below}{name}")
        return found

    def revision(self, root: Path) -> str | None:
        """Return the commit of what it is made from, `+changes` where files differ from it.

        Args:
            root: the project; None is the answer where git does not know it.
        """
        return git.revision(root, (*self.sources, str(self.lock)))


def version_of(text: str) -> None:
    """Refuse what is no version.

    Raises:
        UsageError: it is none.
    """
    if not _VERSION.fullmatch(text):
        raise UsageError(
            f"{text!r} is no version; expected one such as 1.4.0 or 1.4.0-rc.1",
            hint="flowrexctl build --version 1.4.0",
        )


def source_date(environ: Mapping[str, str]) -> int:
    """Return the time that every file of an archive gets, in seconds since 1970.

    Args:
        environ: SOURCE_DATE_EPOCH in it sets it.

    Raises:
        ConfigurationError: SOURCE_DATE_EPOCH is no number.
    """
    given = environ.get("SOURCE_DATE_EPOCH", "").strip()
    if not given:
        return archive.EPOCH_S
    if not (given.isascii() and given.isdecimal()):
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH is {given!r}; expected seconds since 1970, or nothing"
        )
    return int(given)
