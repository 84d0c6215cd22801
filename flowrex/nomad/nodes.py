"""Nodes: who is there, and drains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowrex.nomad.model import Node
from flowrex.nomad.transport import Transport

_NANOSECONDS = 1_000_000_000


class Nodes:
    """What can be done with client nodes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[Node]:
        """Return every node, by name."""
        found = [Node.parse(one) for one in self._transport.get("nodes")]
        return sorted(found, key=lambda one: (one.name, one.id))

    def configuration(self, node_id: str) -> Mapping[str, Any]:
        """Return the `client` block of a node's own agent, as that agent has it.

        Args:
            node_id: the node's whole id.

        Raises:
            ServerUnreachable: the agent does not answer at the address that it gives.
        """
        address = str(self._transport.get(f"node/{node_id}")["HTTPAddr"])
        own = self._transport.at(address).get("agent/self")
        configured: Mapping[str, Any] = own["config"]["Client"]
        return configured

    def drain(self, node_id: str, *, deadline_s: int, system: bool = False) -> None:
        """Move a node's allocations elsewhere and keep new ones away.

        Args:
            node_id: the node's whole id.
            deadline_s: after so many seconds what still runs is stopped.
            system: whether those of system jobs are ended, too.
        """
        spec = {"Deadline": deadline_s * _NANOSECONDS, "IgnoreSystemJobs": not system}
        with self._transport.library.mapped():
            self._transport.library.node.drain_node_with_spec(node_id, spec)

    def undrain(self, node_id: str) -> None:
        """End a drain and let allocations come again; see `Jobs.evaluate` for system jobs."""
        with self._transport.library.mapped():
            self._transport.library.node.drain_node_with_spec(node_id, {}, mark_eligible=True)
