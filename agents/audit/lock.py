"""One shipper a node: two would fork its chain."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowrex.errors import LockHeld


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of a state folder for the length of a block; the kernel drops it at a death.

    Raises:
        LockHeld: another process has it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockHeld(
                f"another process ships the audit log from {folder}",
                hint="Only one agent may use a state folder. Look for a second flowrex-agent.",
            ) from error
        yield
    finally:
        os.close(descriptor)
