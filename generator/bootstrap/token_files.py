"""Tokens in a folder, one file each, readable by their owner only."""

from __future__ import annotations

from pathlib import Path

from flowrex.files import write_atomic
from flowrex.secret import Secret


def read(folder: Path | None, name: str) -> Secret | None:
    """Return the token that is kept under `name`, or None."""
    if folder is None:
        return None
    try:
        return Secret((folder / name).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None


def keep(folder: Path | None, name: str, token: Secret) -> None:
    """Keep a token under `name`; does nothing where there is no folder."""
    if folder is None:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(folder / name, token.reveal() + "\n", mode=0o600)
