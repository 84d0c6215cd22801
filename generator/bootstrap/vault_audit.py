"""Vault's audit device: one line for each request, secrets hashed, in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

DEVICE = "flowrex-file"


def steps(client: VaultClient, file: Path | None, *, check_only: bool) -> Iterator[Step]:
    """Make the device be there, where one is asked for.

    Vault refuses every request while no device can be written to, so that the file's disk matters.

    Args:
        client: with the right (sudo) to configure audit devices.
        file: what Vault writes, on Vault's own machine; None asks for no device.
        check_only: change nothing.
    """
    if file is None:
        return
    found = (client.read("sys/audit") or {}).get(f"{DEVICE}/")
    body = {"type": "file", "options": {"file_path": str(file), "mode": "0600"}}

    def enable() -> None:
        if found is not None:
            client.delete(f"sys/audit/{DEVICE}")
        client.write(f"sys/audit/{DEVICE}", body)

    yield ensure(
        "vault audit device",
        enable,
        present=found is not None,
        same=found is not None and (found.get("options") or {}).get("file_path") == str(file),
        check_only=check_only,
        detail=f"it should write {file}",
    )
