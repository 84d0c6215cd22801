"""From a verb's words to the environment that they name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowrex.errors import ConfigurationError
from generator.environment import Environment, load
from generator.project import find_root


def project_root() -> Path:
    """Return the project that the current folder belongs to.

    Raises:
        ConfigurationError: there is none, or the folder is not there any more.
    """
    try:
        here = Path.cwd()
    except OSError as error:
        raise ConfigurationError(
            f"the current folder can't be told: {error.strerror}",
            hint="Somebody has deleted it, perhaps: go to a checkout of the project.",
        ) from error
    return find_root(here)


def load_environment(name: str, overrides: Sequence[str] = ()) -> Environment:
    """Return the environment `name` with its files, the local cluster's layer and `--set` applied.

    Args:
        name: the environment, as it was typed.
        overrides: `--set` values, each `PATH=VALUE`.
    """
    return load(project_root(), name, overrides=overrides)
