"""The leased database credentials: a small file that is replaced when the lease rotates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.settings import read_secret_object
from flowrex.secret import Secret


@dataclass(frozen=True)
class Credentials:
    """One lease.

    Attributes:
        username: the login that Vault made.
        password: its password.
    """

    username: str
    password: Secret


@dataclass(frozen=True)
class Identity:
    """Which file stands at a path; a replaced file is another one even with equal content."""

    inode: int
    modified_ns: int
    size: int


def read(path: Path) -> Credentials:
    """Return the credentials that the file holds.

    Raises:
        ConfigurationError: it can't be read or is incomplete; its content is never shown.
    """
    values = read_secret_object(path, ("username", "password"), "FLOWREX_DATABASE_CREDENTIALS")
    return Credentials(values["username"], Secret(values["password"]))


def identity(path: Path) -> Identity | None:
    """Return which file stands at `path` now, or None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Identity(status.st_ino, status.st_mtime_ns, status.st_size)
