"""Asking a binary what it is."""

from __future__ import annotations

import mmap
import re
import subprocess
from pathlib import Path

from generator.dev.servers.catalog import Server

_VERSION = re.compile(r"\bv?(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)")
_ANSWER_WITHIN_S = 30

# debug/buildinfo in Go's standard library describes these bytes: magic, pointer size, flags
# (bit 1: the strings follow), padding to 32 bytes, then two strings with varint lengths.
_MAGIC = b"\xff Go buildinf:"
_HEADER = 32
_STRINGS_FOLLOW = 2


def version_of(path: Path, server: Server) -> str | None:
    """Return the version of the binary at `path`, or None where it gives none.

    Args:
        path: an executable.
        server: what it should be.
    """
    return _told(path, server) or _recorded(path, server)


def lacks_plugin(vault: Path) -> bool:
    """Tell whether this Vault was built without its PostgreSQL plugin, as a minimal build is."""
    tags = re.search(r"^build\t-tags=(.*)$", build_information(vault), re.MULTILINE)
    return tags is not None and "minimal" in tags[1].split(",")


def build_information(path: Path) -> str:
    """Return what Go's linker wrote into a program: module, version, flags; "" if there is none."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            at = content.find(_MAGIC)
            while at != -1:
                if content[at + len(_MAGIC) + 1] & _STRINGS_FOLLOW:
                    _, end = _string(content, at + _HEADER)
                    # Sixteen bytes of a sentinel stand on either side.
                    return _string(content, end)[0][16:-16].decode(errors="replace")
                at = content.find(_MAGIC, at + 1)
    except (OSError, ValueError, IndexError):
        pass
    return ""


def _told(path: Path, server: Server) -> str | None:
    if not server.version_arguments:
        return None
    try:
        answer = subprocess.run(
            [str(path), *server.version_arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ANSWER_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(answer.stdout) or _VERSION.search(answer.stderr)
    return found[1] if found else None


def _recorded(path: Path, server: Server) -> str | None:
    pattern = rf"^mod\t{re.escape(server.source)}\tv([^\t\n]+)"
    found = re.search(pattern, build_information(path), re.MULTILINE)
    return found[1] if found else None


def _string(content: mmap.mmap, at: int) -> tuple[bytes, int]:
    length = shift = 0
    while True:
        byte = content[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return content[at : at + length], at + length
        shift += 7
