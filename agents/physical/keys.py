"""What pgBackRest needs to be told in secret, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.credentials.files import S3_ACCESS_KEY, S3_SECRET_KEY, Files
from agents.settings.model import Agent
from flowrex.errors import PermissionRefused
from flowrex.secret import Secret

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

PASSPHRASE = "physical-passphrase"  # noqa: S105 - a file's name


@dataclass(frozen=True)
class Keys:
    """The repository's passphrase, and a key of the store."""

    passphrase: Secret
    access_key: Secret
    secret_key: Secret


def find(settings: Agent, files: Files, vault: Callable[[], VaultClient]) -> Keys:
    """Return the keys, each from its file where there is one, else from Vault.

    The physical backups' own secret may hold a key of the store of their own, since PostgreSQL's
    user sees it too; without one it is the agent's.

    Args:
        settings: where the secrets are in Vault.
        files: the credentials' folder.
        vault: gives Vault's client; not called where every key is a file.

    Raises:
        ServerUnreachable: Vault is away.
        PermissionRefused: a key is nowhere, or its file can't be read.
    """
    kept: dict[str, Mapping[str, Secret]] = {}

    def value(name: str, file: str, *paths: str) -> Secret:
        if (found := files.read(file)) is not None:
            return found
        for path in paths if settings.vault.enabled else ():
            if path not in kept:
                kept[path] = vault().kv_read(path, mount=settings.vault.kv_mount) or {}
            if name in kept[path]:
                return kept[path][name]
        where = " or ".join(f"{settings.vault.kv_mount}/{path}" for path in paths)
        raise PermissionRefused(
            f"{name} for physical backups is neither in {files.folder}/{file} nor in {where}",
            hint="`flowrexctl bootstrap ENV` puts it into Vault.",
        )

    own, agents = settings.physical.secret, settings.vault.secret
    return Keys(
        passphrase=value("passphrase", PASSPHRASE, own),
        access_key=value("s3_access_key", S3_ACCESS_KEY, own, agents),
        secret_key=value("s3_secret_key", S3_SECRET_KEY, own, agents),
    )
