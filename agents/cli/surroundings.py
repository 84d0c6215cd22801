"""What a verb has at hand that does itself what the running agent would: settings and clients."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.context import Context


def surroundings(config: Path) -> Context:
    """Return the surroundings that a task would be given.

    Args:
        config: the node's configuration.

    Raises:
        ConfigurationError: it can't be used.
    """
    from agents.clock import SystemClock
    from agents.context import Context
    from agents.credentials.clients import Clients
    from agents.credentials.files import Files
    from agents.settings import load

    settings = load(config)
    clients = Clients(settings, Files.of(os.environ, settings.credentials_dir), SystemClock())
    return Context(
        settings=settings,
        node=settings.node or socket.gethostname(),
        consul=clients.consul,
        vault=clients.vault,
        s3=clients.s3,
    )
