"""One set-up at a time, between processes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from generator.dev.servers.progress import Progress


@contextmanager
def hold(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock at `path` for the block; wait for its holder, and say who that is.

    The kernel releases the lock when the process ends, however it ends.

    Args:
        path: the lock's file; its folder must exist.
        progress: is told whom this waits for.
    """
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note(f"Another set-up is at work ({_holder(file)}); waiting for it to end.")
            fcntl.flock(file, fcntl.LOCK_EX)
        _sign(file)
        try:
            yield
        finally:
            file.truncate(0)
            fcntl.flock(file, fcntl.LOCK_UN)


def _sign(file: TextIO) -> None:
    file.truncate(0)
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    file.write(json.dumps({"pid": os.getpid(), "since": since}))
    file.flush()


def _holder(file: TextIO) -> str:
    file.seek(0)
    try:
        signed = json.loads(file.read())
        return f"process {signed['pid']}, since {signed['since']}"
    except (ValueError, KeyError, TypeError):
        # Between taking the lock and signing it there is a moment.
        return "it has just begun"
