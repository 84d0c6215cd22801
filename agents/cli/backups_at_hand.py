"""The backups that the verbs of `flowrex-agent backup` work on, and options that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.surroundings import surroundings
from flowrex.command.output import Progress

if TYPE_CHECKING:
    from agents.backup.hands import Hands
    from agents.backup.work import Backups

name_argument = click.argument("name", default="newest")
local_option = click.option(
    "--local", is_flag=True, help="Of the copies in backup.retention.local_dir, not of the store."
)


@contextmanager
def at_hand(config: Path, *, local: bool = False) -> Iterator[tuple[Backups, Hands]]:
    """Give the backups of the configured database, with progress on a terminal."""
    from agents.backup.assemble import backups_of
    from agents.backup.hands import Hands

    progress = Progress()
    try:
        backups = backups_of(surroundings(config))
        yield backups.local() if local else backups, Hands(say=progress, by=_me())
    finally:
        progress.clear()


def _me() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def mib(size: int) -> str:
    """Return a size for people."""
    return f"{size / (1 << 20):.1f} MiB"
