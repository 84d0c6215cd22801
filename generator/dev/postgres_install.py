"""Where PostgreSQL's programs are, and as whom they run."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

from flowrex.errors import ConfigurationError

_WANTED = "15"


def programs() -> Path:
    """Return the folder of PostgreSQL's programs; Debian keeps them off PATH.

    Raises:
        ConfigurationError: PostgreSQL is not installed.
    """
    installed = sorted(
        (folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if _complete(folder)),
        key=lambda folder: (folder.parent.name == _WANTED, _number(folder.parent.name)),
    )
    if installed:
        return installed[-1]
    if (found := shutil.which("initdb")) and _complete(Path(found).resolve().parent):
        return Path(found).resolve().parent
    raise ConfigurationError(
        "PostgreSQL's programs (initdb, postgres, pg_basebackup) are not installed",
        hint=f"apt-get install postgresql-{_WANTED}, or your system's package.",
    )


def version() -> str:
    """Return PostgreSQL's version."""
    text = subprocess.run(
        [programs() / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"\d+(\.\d+)*", text)
    return found[0] if found else "?"


def user() -> str | None:
    """Return the user that PostgreSQL runs as: it refuses root, everybody else is fine.

    Raises:
        ConfigurationError: the caller is root and there is no user `postgres`.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError as error:
        raise ConfigurationError(
            "PostgreSQL does not run as root, and there is no user `postgres`",
            hint="Install your system's PostgreSQL package, or call this as another user.",
        ) from error


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("initdb", "postgres", "pg_basebackup"))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
