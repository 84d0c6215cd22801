"""What a reload may change: a new configuration is taken whole, or refused whole."""

from __future__ import annotations

from typing import Any

from agents.settings.model import Agent
from flowrex.errors import ConfigurationError
from flowrex.settings import schema


def check(old: Agent, new: Agent, path: str) -> None:
    """Refuse a configuration that only a restart can bring.

    Args:
        old: the settings in use.
        new: those of the file.
        path: the file.

    Raises:
        ConfigurationError: it changes settings that are taken at the start only; it names them.
    """
    fixed = [one for one in changed(old, new) if _needs_restart(one)]
    if fixed:
        raise ConfigurationError(
            f"{', '.join(fixed)} can't change while the agent runs; nothing was taken over",
            path=path,
            hint="Take them with: systemctl restart flowrex-agent",
        )


def changed(old: Agent, new: Agent) -> list[str]:
    """Return the names of the settings that differ."""
    names = (one.path for one in schema.settings(Agent))
    return [name for name in names if _value(old, name) != _value(new, name)]


def _needs_restart(path: str) -> bool:
    return path in {one.path for one in schema.settings(Agent) if one.limits.get("restart")}


def _value(settings: Agent, path: str) -> Any:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value
