"""Credentials in files: one a file, in a folder that systemd or an administrator fills."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flowrex.errors import ConfigurationError, PermissionRefused
from flowrex.secret import Secret

VARIABLE = "FLOWREX_AGENT_CREDENTIALS_DIR"

VAULT_ROLE_ID = "vault-role-id"
VAULT_SECRET_ID = "vault-secret-id"  # noqa: S105 - a file's name
VAULT_CERTIFICATE = "vault-certificate.pem"
VAULT_KEY = "vault-key.pem"
VAULT_JWT = "vault-jwt"
CONSUL_TOKEN = "consul-token"  # noqa: S105
S3_ACCESS_KEY = "s3-access-key"
S3_SECRET_KEY = "s3-secret-key"  # noqa: S105

_OWN = (
    VAULT_ROLE_ID,
    VAULT_SECRET_ID,
    VAULT_CERTIFICATE,
    VAULT_KEY,
    VAULT_JWT,
    CONSUL_TOKEN,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
)
_HINT = "The agent's user must be able to read it; systemd's LoadCredential sees to that."

# `LoadCredential=flowrex:/folder` gives each file of the folder a name that begins so.
_FROM_FOLDER = "flowrex_"


class Files:
    """The credentials' folder."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; nothing is read yet."""
        self.folder = folder

    @classmethod
    def of(cls, environ: Mapping[str, str], configured: str) -> Files:
        """Return the folder that the environment names, or the configured one.

        Args:
            environ: FLOWREX_AGENT_CREDENTIALS_DIR, then systemd's CREDENTIALS_DIRECTORY.
            configured: the setting `credentials_dir`.
        """
        named = environ.get(VARIABLE) or environ.get("CREDENTIALS_DIRECTORY")
        return cls(Path(named or configured))

    def check(self) -> None:
        """Read what there is of the agent's own, for the start.

        Raises:
            ConfigurationError: a file is there and can't be read.
        """
        for name in _OWN:
            try:
                self.read(name)
            except PermissionRefused as error:
                raise ConfigurationError(error.message, hint=error.hint) from error

    def path(self, name: str) -> Path | None:
        """Return a credential's file, or None where there is none.

        Raises:
            PermissionRefused: nobody can say.
        """
        for path in (self.folder / name, self.folder / f"{_FROM_FOLDER}{name}"):
            try:
                if path.is_file():
                    return path
            except OSError as error:
                raise _unreadable(path, error) from error
        return None

    def read(self, name: str) -> Secret | None:
        """Return a credential, or None where there is no such file, or it is empty.

        Raises:
            PermissionRefused: the file is there and can't be read, which may be over soon.
        """
        path = self.path(name)
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, error) from error
        return Secret(text) if text else None


def _unreadable(path: Path, error: Exception) -> PermissionRefused:
    reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
    return PermissionRefused(f"{path}: this credential can't be read: {reason}", hint=_HINT)
