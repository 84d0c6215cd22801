"""What each task of the agent is given: settings, clock, clients, and a bell to wake the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agents.clock import Clock, SystemClock
from agents.settings.model import Agent
from agents.wake import Wake

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.s3 import S3Client
    from flowrex.vault import VaultClient


@dataclass(frozen=True)
class Context:
    """The surroundings of a task.

    The clients are asked for each time they are used, from a thread, and never kept: their
    credentials may have been replaced since. Asking may itself need Vault, and raises
    `ServerUnreachable` where a credential can't be had now. A server's `PermissionRefused` is told
    to `refused`, so that the credentials are looked at at once and not at the next interval.

    Attributes:
        settings: the whole configuration. A task is made anew where its own sections change.
        node: the node's name.
        consul: returns Consul's client.
        vault: returns Vault's client.
        s3: returns the object store's client.
        changed: says that a task's status changed, so that it is published soon.
        refused: takes note that a server refused the agent's credentials; may be called anywhere.
        clock: tells the time.
        wake: wakes other tasks.
    """

    settings: Agent
    node: str
    consul: Callable[[], ConsulClient]
    vault: Callable[[], VaultClient]
    s3: Callable[[], S3Client]
    changed: Callable[[], None] = lambda: None
    refused: Callable[[], None] = lambda: None
    clock: Clock = field(default_factory=SystemClock)
    wake: Wake = field(default_factory=lambda: Wake(SystemClock()))

    def state(self, name: str) -> Path:
        """Return a capability's folder of what must outlive a restart, made if need be.

        Args:
            name: the capability, for example `audit`.
        """
        folder = Path(self.settings.state_dir) / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
