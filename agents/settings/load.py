"""Read the agent's configuration: reference.yaml, and the node's own file laid over it."""

from __future__ import annotations

from pathlib import Path

from agents.settings.model import Agent
from flowrex.errors import ConfigurationError
from flowrex.settings import schema, source

# Beside the code, so that whatever installs the one installs the other.
REFERENCE = Path(__file__).resolve().parent.parent / "reference.yaml"
DEFAULT_FILE = Path("/etc/flowrex/agent.yaml")


def load(path: Path) -> Agent:
    """Return the agent's settings, merged and checked as a whole.

    Args:
        path: the node's own file.

    Raises:
        ConfigurationError: the file is missing, or there is a mistake in it; the error names the
            file and the line.
    """
    tree = source.merge(
        source.read(REFERENCE, REFERENCE.name), source.read(_present(path), str(path))
    )
    return schema.build(Agent, tree, reference=str(REFERENCE))


def defaults() -> Agent:
    """Return the reference's settings, for asking a running agent whose own file is broken."""
    return schema.build(Agent, source.read(REFERENCE, REFERENCE.name), reference=str(REFERENCE))


def _present(path: Path) -> Path:
    if path.exists():
        return path
    raise ConfigurationError(
        "there is no such file",
        path=path,
        hint="`flowrex-agent install` writes one; --config names another.",
    )
