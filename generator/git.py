"""What git knows of a project's folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path


def revision(root: Path, paths: Iterable[str]) -> str | None:
    """Return the commit of some of a project's files, `+changes` where they differ from it.

    Args:
        root: the project; None is the answer where git does not know it.
        paths: the files and folders that count.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    return f"{commit}+changes" if _git(root, "status", "--porcelain", "--", *paths) else commit


def files(root: Path) -> list[str] | None:
    """Return the project's files that git keeps and that are there, relative to the project.

    Args:
        root: the project; None is the answer where git does not know it.
    """
    listed = _git(root, "ls-files", "-z")
    if listed is None:
        return None
    return [name for name in listed.split("\0") if name and (root / name).is_file()]


def _git(root: Path, *arguments: str) -> str | None:
    command = ("git", "-C", str(root), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
