"""The cluster's own passwords and tokens, each in a file that only its owner reads."""

from __future__ import annotations

import secrets
import uuid
from pathlib import Path

from flowrex.errors import ConfigurationError
from flowrex.files import write_atomic
from flowrex.secret import Secret


def read(path: Path) -> Secret | None:
    """Return the secret in a file, or None where there is no such file."""
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise ConfigurationError(
            f"{path} can't be read by this user",
            hint="Use the user that started the cluster (often root: try sudo).",
        ) from error
    return Secret(text) if text else None


def write(path: Path, value: Secret) -> None:
    """Keep a secret in a file for its owner's eyes."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomic(path, value.reveal() + "\n", mode=0o600)


def password(path: Path) -> Secret:
    """Return the password in a file, made at random the first time."""
    return _kept(path, secrets.token_hex(20))


def token(path: Path) -> Secret:
    """Return the token in a file, a random UUID as Consul and Nomad want it."""
    return _kept(path, str(uuid.uuid4()))


def _kept(path: Path, fresh: str) -> Secret:
    found = read(path)
    if found is None:
        found = Secret(fresh)
        write(path, found)
    return found
