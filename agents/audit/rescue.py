"""Removed files that are not shipped yet, saved into the agent's own folder.

A file that lost its name is there only while the agent has it open: a kill, a restart or a power
cut would end it. So what is left of it is copied, once nothing is added to it any more, or when the
agent stops. A copy has each byte at the offset that it had in the file, and a hole where the bytes
before were shipped. So it is read, cut and named like the file itself, and no line is there twice.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

from agents.audit.file import FIRST_BYTES, AuditFile
from flowrex.audit.segment import parse_file_id
from flowrex.files import replacing, sync, write_atomic

log = logging.getLogger(__name__)

_BLOCK = 1 << 20
# What is left on the disk for the cursors, the spools and the agent's other work.
_RESERVE = 64 << 20
_ABOUT = ".json"


def save(file: AuditFile, start: int, folder: Path) -> Path:
    """Copy what is left of a file, and bring it to the disk.

    Args:
        file: the file, which has a fingerprint.
        start: the first byte that is wanted.
        folder: where to.

    Returns:
        The copy.

    Raises:
        OSError: there is no room, or the disk fails.
    """
    end = file.end()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync(folder.parent)
    if shutil.disk_usage(folder).free < end - start + _RESERVE:
        raise OSError(28, os.strerror(28))
    copy = folder / str(file.id)
    about = {"path": str(file.path), "class": file.category}
    write_atomic(_about(copy), json.dumps(about), mode=0o600)
    with replacing(copy, mode=0o600) as temporary, temporary.open("r+b") as target:
        target.write(file.read(0, min(FIRST_BYTES, end)))
        target.seek(start)
        while start < end and (block := file.read(start, min(_BLOCK, end - start))):
            target.write(block)
            start += len(block)
        if start < end:
            raise OSError(5, f"{file.path} was cut off while it was saved")
        target.truncate(end)
    return copy


def saved(folder: Path, now: float) -> list[AuditFile]:
    """Return the files whose rest is in a folder, open; what was left half copied is removed.

    Args:
        folder: the folder.
        now: the monotonic time in seconds.
    """
    found = []
    for half in folder.glob(".*"):
        half.unlink()
    for about in sorted(folder.glob(f"*{_ABOUT}")):
        copy = about.with_name(about.name.removesuffix(_ABOUT))
        try:
            found.append(_opened(copy, now))
        except FileNotFoundError:
            about.unlink()  # it died before there was a copy, or after it was removed
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("a saved file can't be read", extra={"path": str(copy), "error": str(error)})
    return found


def discard(copy: Path) -> None:
    """Remove a copy."""
    copy.unlink(missing_ok=True)
    _about(copy).unlink(missing_ok=True)


def _about(copy: Path) -> Path:
    return copy.with_name(copy.name + _ABOUT)


def _opened(copy: Path, now: float) -> AuditFile:
    descriptor = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
    try:
        about = json.loads(_about(copy).read_bytes())
        known = parse_file_id(copy.name)
        path, category = Path(about["path"]), str(about["class"])
        file = AuditFile(path, category, descriptor, known.device, known.inode, copy=copy)
        file.look(now)
        file.identify(whole=True)
        if file.id != known:
            raise ValueError("it does not begin like the file that it was made of")
    except BaseException:
        os.close(descriptor)
        raise
    file.gone, file.seen = True, float("-inf")
    return file
