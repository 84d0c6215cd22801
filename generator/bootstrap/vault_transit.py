"""Vault's transit engine: the key that wraps the data keys of backups, and never leaves Vault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure
from generator.bootstrap.vault_mounts import mount

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

MOUNT = "transit"
KEY = "flowrex-backup"


def steps(client: VaultClient, *, check_only: bool) -> Iterator[Step]:
    """Make the key be there. One that is there is never replaced: backups depend on it.

    Args:
        client: with the right to configure the engine.
        check_only: change nothing.
    """
    yield mount(client, MOUNT, "transit", check_only=check_only)
    path = f"{MOUNT}/keys/{KEY}"
    found = client.read(path)
    yield ensure(
        f"vault transit key {KEY}",
        lambda: client.write(path, {"type": "aes256-gcm96"}),
        present=found is not None,
        same=found is not None and not found["deletion_allowed"] and not found["exportable"],
        check_only=check_only,
        detail="it can be deleted or exported, which must be put right by hand",
    )
