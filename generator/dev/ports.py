"""Who holds a port that the cluster needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowrex.errors import ConfigurationError
from generator.dev import proc


@dataclass(frozen=True)
class Holder:
    """A listening port and its process.

    Attributes:
        port: the port.
        pid: the process, or None where this user may not see whose it is.
        command: its command line.
    """

    port: int
    pid: int | None
    command: str


def holders(ports: Mapping[int, str]) -> list[Holder]:
    """Return those of `ports` that something listens on already.

    Args:
        ports: what each port is wanted for, by port.
    """
    taken = {port: inode for port, inode in proc.listeners().items() if port in ports}
    if not taken:
        return []
    owners = proc.socket_owners(set(taken.values()))
    found = []
    for port, inode in sorted(taken.items()):
        pid = owners.get(inode)
        found.append(Holder(port, pid, proc.command_line(pid) if pid else "another user's process"))
    return found


def taken_error(taken: list[Holder], wanted: Mapping[int, str]) -> ConfigurationError:
    """Return the error that names the ports, what they are for and who holds them.

    Args:
        taken: at least one holder.
        wanted: what each port is for, by port.
    """
    sentences = [
        f"port {holder.port} ({wanted[holder.port]}) is held by "
        + (f"pid {holder.pid}, `{holder.command[:100]}`" if holder.pid else holder.command)
        for holder in taken
    ]
    other = (min(wanted) // 1000 + 2) * 1000
    return ConfigurationError(
        "; ".join(sentences),
        hint=f"Stop what holds it, or move the cluster: FLOWREX_DEV_PORT_BASE={other}.",
    )
