"""The servers' logs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from flowrex.errors import UsageError

_POLL_S = 0.3
_BLOCK = 64 * 1024


def names(folder: Path) -> list[str]:
    """Return the servers that have a log in `folder`."""
    return sorted(path.stem for path in folder.glob("*.log"))


def find(folder: Path, server: str) -> Path:
    """Return a server's log.

    Raises:
        UsageError: there is none of that name.
    """
    known = names(folder)
    if server not in known:
        raise UsageError(
            f"there is no log of {server!r}",
            hint=f"There are: {', '.join(known)}." if known else "`flowrexctl dev up` first.",
        )
    return folder / f"{server}.log"


def last_lines(path: Path, count: int) -> list[str]:
    """Return a log's last lines, without reading all of a big one."""
    if count <= 0:
        return []
    with path.open("rb") as log:
        end = log.seek(0, 2)
        content = b""
        while end > 0 and content.count(b"\n") <= count:
            start = max(0, end - _BLOCK)
            log.seek(start)
            content = log.read(end - start) + content
            end = start
    return content.decode(errors="replace").splitlines()[-count:]


def follow(path: Path) -> Iterator[str]:
    """Give each line that is added to a log, for ever; a log that is set aside is followed on."""
    log = path.open("rb")
    log.seek(0, 2)
    rest = b""
    while True:
        if more := log.read():
            *lines, rest = (rest + more).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
            continue
        if path.exists() and path.stat().st_ino != _inode(log.fileno()):
            log.close()
            log = path.open("rb")
            continue
        time.sleep(_POLL_S)


def _inode(descriptor: int) -> int:
    import os

    return os.fstat(descriptor).st_ino
