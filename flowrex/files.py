"""Files that are whole or absent, never half-written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """Give a temporary file beside `path` that takes its place when the block ends well.

    Args:
        path: the file to write; its folder must exist.
        mode: the permissions it gets before it has its name.

    Yields:
        The temporary file's path, for a program or a library that writes by name.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Write `content` to `path` so that a reader, or a crash, sees the old or the new file.

    Args:
        path: the file; its folder must exist.
        content: text (written as UTF-8) or bytes.
        mode: its permissions; 0o600 for anything secret.
    """
    with replacing(path, mode=mode) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Bring a file to the disk; or a folder, without which a new file in it may be gone again.

    Args:
        path: the file, or the folder.

    Raises:
        OSError: it can't be.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
