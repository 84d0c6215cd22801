"""Where the files are that the tool works on: jobs/, vault-policies/, consul-templates/."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from flowrex.errors import ConfigurationError

_MARK = Path("jobs", "environments", "base.yaml")


def find_root(start: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the project's folder: FLOWREX_ROOT, else the nearest one upward, else the tool's own.

    Args:
        start: the folder to look upward from, usually the current one.
        environ: the process's environment.

    Raises:
        ConfigurationError: FLOWREX_ROOT names a folder that is no project.
    """
    if named := environ.get("FLOWREX_ROOT"):
        if not (Path(named) / _MARK).is_file():
            raise ConfigurationError(
                f"FLOWREX_ROOT is {named!r}, which has no {_MARK}",
                hint="Set it to a checkout of the project, or unset it.",
            )
        return Path(named).resolve()
    start = start.resolve()
    for folder in (start, *start.parents, Path(__file__).resolve().parent.parent):
        if (folder / _MARK).is_file():
            return folder
    raise ConfigurationError(
        f"there is no {_MARK} in {start} or above it",
        hint="Go to a checkout of the project, or name one with FLOWREX_ROOT.",
    )
