"""A file system of a test's own that is soon full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, *, kib: int = 0, mib: int = 0) -> Iterator[Path]:
    """Mount it for the length of a block.

    Args:
        folder: where; it is made.
        kib: its size in KiB.
        mib: or in MiB.
    """
    folder.mkdir()
    options = f"size={kib + (mib << 10)}k"
    mount = ["mount", "-t", "tmpfs", "-o", options, "flowrex-test", str(folder)]
    subprocess.run(mount, check=True, capture_output=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True, timeout=10)
