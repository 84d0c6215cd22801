"""Python's bytecode, made once when an artifact is built and not by each allocation that starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.artifact import archive

# Nothing of the builder's environment gets into what is made, and no site's own modules: what the
# compiler has loaded shows in the bytes. Sets of a constant follow the hash's seed.
_ENVIRON = {"PYTHONHASHSEED": "0"}


def compile_folder(folder: Path) -> str:
    """Compile every module below a folder, into the `__pycache__` beside it.

    A module is taken to belong to its bytecode without a look at its time or content: an artifact
    is never edited, and its files' times are set. Names of files in it are relative to the folder.

    Args:
        folder: the folder.

    Returns:
        What could not be compiled and why; empty where all could.
    """
    command = [
        sys.executable, "-S", "-m", "compileall", "-q",
        "--invalidation-mode", "unchecked-hash", "-s", str(folder), str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, env=_ENVIRON, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def compiled(entries: Iterable[archive.Entry], scratch: Path) -> list[archive.Entry]:
    """Return the bytecode of an archive's own modules.

    Args:
        entries: the archive's files; the modules among them are compiled.
        scratch: an empty folder, for as long as the answer is in use.

    Raises:
        ConfigurationError: one of the modules is no Python.
    """
    for entry in entries:
        if entry.name.endswith(".py"):
            copy = scratch / entry.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(entry.source.read_bytes())
    problems = compile_folder(scratch)
    if problems:
        raise ConfigurationError(
            f"a module can't be compiled:\n{problems}",
            hint="`make check` reads every module; correct it and build again.",
        )
    return [
        entry for entry in archive.tree(scratch, "", bytecode=True) if entry.name.endswith(".pyc")
    ]
