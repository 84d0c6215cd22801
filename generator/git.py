"""What git knows of a project's folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path


def revision(root: Path, paths: Iterable[str]) -> str | None:
    """Return the commit of some of a project's files, `+changes` where they differ from it.

    Where git can't tell whether they differ, it is `+unknown`: what is unknown is not clean.

    Args:
        root: the project; None is the answer where git does not know it.
        paths: the files and folders that count.
    """
    commit = (_git(root, "rev-parse", "HEAD") or "").strip()
    if not commit:
        return None
    differing = _git(root, "status", "--porcelain", "--", *paths)
    if differing is None:
        return f"{commit}+unknown"
    return f"{commit}+changes" if differing else commit


def files(root: Path) -> list[str] | None:
    """Return the project's files that git keeps and that are there, relative to the project.

    Args:
        root: the project; None is the answer where git does not know it, or can't read it. A name
            that is no UTF-8 has its bytes as Python's surrogates, as `os.fsdecode` gives them.
    """
    listed = _git(root, "ls-files", "-z")
    if listed is None:
        return None
    return [name for name in listed.split("\0") if name and (root / name).is_file()]


def _git(root: Path, *arguments: str) -> str | None:
    command = ("git", "-C", str(root), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None
