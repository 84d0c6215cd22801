"""What the cluster remembers about itself: cluster.json, and the lock around changing it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from flowrex.errors import ConfigurationError, LockHeld
from flowrex.files import write_atomic
from generator.dev.layout import Layout
from generator.dev.process import Identity


@dataclass(frozen=True)
class ServerRecord:
    """A server that was started.

    Attributes:
        name: the server.
        identity: its process.
        port: where it answers.
        version: its version.
        started_at: when, in seconds since the epoch.
        fingerprint: the SHA-256 of its command and configuration: another one needs a restart.
    """

    name: str
    identity: Identity
    port: int
    version: str
    started_at: float
    fingerprint: str


@dataclass
class ClusterState:
    """The cluster's record; every change is on disk before the next step.

    Attributes:
        layout: its ports and folders.
        servers: what was started and not stopped, by name.
        configured: the fingerprint of the last complete bootstrap, or None.
    """

    layout: Layout
    servers: dict[str, ServerRecord] = field(default_factory=dict)
    configured: str | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def started(self, record: ServerRecord) -> None:
        """Remember a server that was started."""
        with self._guard:
            self.servers[record.name] = record
            self._write()

    def stopped(self, name: str) -> None:
        """Forget a server that was stopped."""
        with self._guard:
            self.servers.pop(name, None)
            self._write()

    def set_configured(self, fingerprint: str | None) -> None:
        """Remember that Vault, Consul, Nomad and PostgreSQL are configured, or not any more."""
        with self._guard:
            self.configured = fingerprint
            self._write()

    def save(self) -> None:
        """Write the record."""
        with self._guard:
            self._write()

    def _write(self) -> None:
        document = {
            "base": self.layout.base,
            "nodes": self.layout.node_count,
            "server_nodes": self.layout.server_count,
            "docker": self.layout.docker,
            "configured": self.configured,
            "servers": {name: asdict(record) for name, record in sorted(self.servers.items())},
        }
        write_atomic(self.layout.state_file, json.dumps(document, indent=2) + "\n")


def load(root: Path) -> ClusterState | None:
    """Return the record of the cluster in `root`, or None where there has been none.

    Raises:
        ConfigurationError: the record can't be read.
    """
    path = root / "cluster.json"
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    try:
        return ClusterState(
            layout=Layout(
                root,
                int(document["base"]),
                int(document["nodes"]),
                int(document.get("server_nodes", 1)),
                document.get("docker"),
            ),
            servers={name: _record(entry) for name, entry in document["servers"].items()},
            configured=document["configured"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from error


def _record(entry: dict[str, Any]) -> ServerRecord:
    record = ServerRecord(**entry)
    return replace(record, identity=Identity(**entry["identity"]))


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the cluster's record can't be read: {error}",
        path=path,
        hint="`flowrexctl dev down` finds the servers without it and sets it aside.",
    )


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the cluster's lock, which the kernel takes back when this process ends.

    Raises:
        LockHeld: another `up`, `down` or `reset` works on the same cluster.
        ConfigurationError: the folder can't be made or written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = (root / "lock").open("a+")
    except OSError as error:
        raise ConfigurationError(
            f"the cluster's folder {root} can't be written: {error.strerror}",
            hint="Use the user that started the cluster, or name another FLOWREX_DEV_DIR.",
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            holder = handle.read().strip() or "?"
            raise LockHeld(
                f"another `flowrexctl dev` (pid {holder}) is changing the cluster in {root}",
                hint="Wait until it is done.",
            ) from error
        handle.seek(0)
        handle.truncate()
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        # Children must not inherit the lock: descriptors are closed on exec (PEP 446).
        yield
