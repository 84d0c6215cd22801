"""A tar.gz that is the same to the byte wherever and whenever it is made."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flowrex.files import replacing

# Before this, some formats can't tell the time; it means "no time".
EPOCH_S = 315532800
_LEVEL = 6
_BYTECODE = "__pycache__"
_SKIPPED_SUFFIXES = frozenset({".orig", ".rej", ".swp"})


@dataclass(frozen=True)
class Entry:
    """One file of the archive.

    Attributes:
        name: its path in the archive, with `/`.
        source: where its content is.
        executable: whether it keeps the permission to be run.
    """

    name: str
    source: Path
    executable: bool


def tree(folder: Path, prefix: str, *, hidden: bool = False, bytecode: bool = False) -> list[Entry]:
    """Return a folder's files, without bytecode, hidden files and editors' leftovers.

    Args:
        folder: the folder.
        prefix: its path in the archive; empty where its files are at the top.
        hidden: True to take all files, since a tool wrote them and nobody edits there.
        bytecode: True to take Python's, since it was made for the archive.
    """
    entries = []
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if not path.is_file() or (_skipped(relative, bytecode) and not hidden):
            continue
        name = f"{prefix}/{relative.as_posix()}" if prefix else relative.as_posix()
        entries.append(Entry(name, path, bool(path.stat().st_mode & 0o100)))
    return entries


def write(path: Path, entries: Iterable[Entry], *, mtime_s: int = EPOCH_S) -> tuple[str, int]:
    """Write the archive.

    Args:
        path: the archive; it is whole or absent.
        entries: its files, in any order.
        mtime_s: the time that every file gets, in seconds since 1970.

    Returns:
        Its SHA-256 in hex and its size in bytes.
    """
    by_name: Mapping[str, Entry] = {entry.name: entry for entry in entries}
    with replacing(path) as temporary:
        with (
            temporary.open("wb") as raw,
            # Neither the file's name nor the time of the build may get into the header.
            gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
            # dpkg reads no other form of a name of over 100 characters.
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for name in _folders(by_name):
                archive.addfile(_described(name, mtime_s, mode=0o755, kind=tarfile.DIRTYPE))
            for name, entry in sorted(by_name.items()):
                content = entry.source.read_bytes()
                member = _described(name, mtime_s, mode=0o755 if entry.executable else 0o644)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        size = temporary.stat().st_size
        digest = checksum(temporary)
    return digest, size


def checksum(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(
    name: str, mtime_s: int, *, mode: int, kind: bytes = tarfile.REGTYPE
) -> tarfile.TarInfo:
    # Owner, group and their names stay at TarInfo's zero and empty.
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = mode
    member.mtime = mtime_s
    return member


def _folders(names: Iterable[str]) -> list[str]:
    folders: set[str] = set()
    for name in names:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    return sorted(folders)


def _skipped(relative: Path, bytecode: bool) -> bool:
    return (
        any(part.startswith(".") for part in relative.parts)
        or (not bytecode and (_BYTECODE in relative.parts or relative.suffix in (".pyc", ".pyo")))
        or relative.suffix in _SKIPPED_SUFFIXES
        or relative.name.endswith("~")
    )
