"""The folder where installed servers stay: one folder for each name, version and machine kind.

<cache>/nomad-1.11.2-linux-amd64/nomad
<cache>/nomad-1.11.2-linux-amd64/receipt.json   how it was had, its size and SHA-256
<cache>/staging/…                               what is being installed; nothing else reads it
<cache>/logs/nomad-1.11.2.log                   what the last build said
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowrex.errors import ConfigurationError
from flowrex.files import write_atomic
from generator.dev.servers.binary import Origin
from generator.dev.servers.catalog import Server

_RECEIPT = "receipt.json"
_STAGING = "staging"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Machine:
    """The kind of machine, named as Go and the release site name it."""

    system: str
    architecture: str

    @classmethod
    def this(cls) -> Machine:
        """Return the one that this runs on."""
        name = platform.machine().lower()
        return cls(platform.system().lower(), _MACHINES.get(name, name))

    def __str__(self) -> str:
        return f"{self.system}-{self.architecture}"


def folder_of(cache: Path, server: Server, machine: Machine) -> Path:
    """Return the folder of one server in the cache, whether it exists or not."""
    return cache / f"{server.name}-{server.version}-{machine}"


def installed(cache: Path, server: Server, machine: Machine) -> Path | None:
    """Return the server's binary in the cache, or None where it is not whole.

    The size is compared with the receipt's: enough to see a file that a full disk or a person cut.
    """
    folder = folder_of(cache, server, machine)
    binary = folder / server.name
    try:
        receipt = json.loads((folder / _RECEIPT).read_text())
        whole = binary.stat().st_size == receipt["size"] and os.access(binary, os.X_OK)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return binary if whole else None


@contextmanager
def staging(cache: Path, name: str) -> Iterator[Path]:
    """Give an empty folder on the cache's file system that is gone when the block ends."""
    base = cache / _STAGING
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(cache: Path) -> None:
    """Remove what a killed installation left; call it only while holding the lock."""
    shutil.rmtree(cache / _STAGING, ignore_errors=True)


def keep(cache: Path, server: Server, machine: Machine, staged: Path, origin: Origin) -> Path:
    """Move a finished binary from the staging folder to its place, whole or not at all.

    Args:
        cache: the cache.
        server: what it is.
        machine: what it runs on.
        staged: the binary, in a folder from `staging`.
        origin: how it was had.

    Returns:
        Its path in the cache.
    """
    with staging(cache, server.name) as folder:
        # mkdtemp makes folders private; the servers do not all run as the user who installs them.
        folder.chmod(0o755)
        binary = folder / server.name
        staged.replace(binary)
        binary.chmod(0o755)
        receipt = {
            "name": server.name,
            "version": server.version,
            "origin": origin,
            "size": binary.stat().st_size,
            "sha256": _sha256(binary),
        }
        write_atomic(folder / _RECEIPT, json.dumps(receipt, indent=2) + "\n")
        place(folder, folder_of(cache, server, machine))
    return folder_of(cache, server, machine) / server.name


def place(folder: Path, target: Path) -> None:
    """Rename a finished folder to its place; a broken one that is there goes first."""
    _synchronise(folder)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)


def prepare(cache: Path) -> None:
    """Make the cache's folder.

    Raises:
        ConfigurationError: it can't be made or written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        writable = os.access(cache, os.W_OK | os.X_OK)
    except OSError as error:
        raise _unwritable(cache, error.strerror or str(error)) from error
    if not writable:
        raise _unwritable(cache, "Permission denied")


def _unwritable(cache: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the servers' cache {cache} can't be written: {reason}",
        hint="Name another folder with FLOWREX_CACHE_DIR.",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _synchronise(folder: Path) -> None:
    """Bring every file to the disk, so that a power cut can't leave a name without its content."""
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
