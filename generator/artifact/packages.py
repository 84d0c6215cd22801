"""The locked packages, installed once per lock and kept."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from flowrex.errors import ConfigurationError, ServerUnreachable
from generator.artifact.bytecode import compile_folder

# What differs from one installation to the next, and nothing needs at run time. Scripts in bin/
# name the interpreter that installed them.
_VARYING = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_UNREACHABLE = (
    "connection broken",
    "newconnectionerror",
    "name resolution",
    "connecttimeouterror",
    "max retries exceeded",
    "no matching distribution found",
)

Installer = Callable[[Path, Path], None]


def python_tag() -> str:
    """Return what the packages fit: the interpreter and the platform."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"cp{sys.version_info.major}{sys.version_info.minor}-{platform}"


def pip_install(lock: Path, target: Path) -> None:
    """Install what the lock names into a folder, wheels only, every hash checked.

    Args:
        lock: the requirements file with hashes.
        target: an empty folder.

    Raises:
        ConfigurationError: the lock is wrong, or does not fit what the index has.
        ServerUnreachable: the packages can't be fetched.
    """
    command = [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install",
        "--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile",
        "--no-warn-script-location", "--retries", "1", "--timeout", "15",
        "--target", str(target), "--requirement", str(lock),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    said = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("ERROR:")] or said or ["pip said nothing"]
    why = errors[-1].removeprefix("ERROR:").strip()
    if "No module named pip" in done.stderr:
        raise ConfigurationError(
            f"{sys.executable} has no pip, which fetches the locked packages",
            hint="`make setup` makes an environment that has it.",
        )
    if any(sign in done.stderr.lower() for sign in _UNREACHABLE):
        raise ServerUnreachable(
            f"pip can't fetch the locked packages: {why}",
            hint="The first build of a lock needs the package index. Check the network and pip's "
            "settings (`pip config list`), then build again.",
        )
    raise ConfigurationError(
        f"pip can't install the locked packages: {why}",
        path=lock,
        hint="`make lock` writes the lock anew from setup.cfg.",
    )


def site_packages(lock: Path, cache: Path, install: Installer = pip_install) -> Path:
    """Return the folder with the lock's packages, compiled; it is made the first time only.

    Args:
        lock: the requirements file with hashes.
        cache: where such folders are kept.
        install: installs a lock into an empty folder.

    Raises:
        ConfigurationError: there is no lock, or it is wrong.
        ServerUnreachable: the packages can't be fetched.
    """
    try:
        content = lock.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"can't read the lock: {error.strerror}",
            path=lock,
            hint="`make lock` writes it from setup.cfg.",
        ) from error
    key = hashlib.sha256(content).hexdigest()[:24]
    folder = cache / f"{key}-{python_tag()}-compiled"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(prefix=".installing-", dir=cache)
    except OSError as error:
        raise ConfigurationError(
            f"can't keep packages in {cache}: {error.strerror}",
            hint="Name another folder with FLOWREX_CACHE_DIR.",
        ) from error
    with temporary as name:
        fresh = Path(name, "site")
        fresh.mkdir()
        install(lock, fresh)
        _normalise(fresh)
        # What a package has that is no Python of this version, nobody can import either.
        compile_folder(fresh)
        try:
            fresh.rename(folder)
        except OSError:
            # Another build of the same lock was quicker; its folder is as good.
            if not folder.is_dir():
                raise
    return folder


def _normalise(folder: Path) -> None:
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for info in folder.glob("*.dist-info"):
        for name in _VARYING:
            (info / name).unlink(missing_ok=True)
