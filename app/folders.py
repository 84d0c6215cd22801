"""The folders that the application writes to."""

from __future__ import annotations

import os
from pathlib import Path

from flowrex.errors import ConfigurationError


def prepare_folders(*folders: Path) -> None:
    """Make the folders that the application writes to.

    Raises:
        ConfigurationError: one can't be made, or written to.
    """
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"can't make the folder {folder}: {error.strerror}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigurationError(f"can't write to the folder {folder}")
