"""The nodes of the Nomad in memory: one, `n1`, and those that a test adds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowrex.errors import NotFound, ServerUnreachable
from flowrex.nomad.model import Allocation, Node
from flowrex.testing.job import Job
from flowrex.testing.serial import serial

if TYPE_CHECKING:
    from flowrex.testing.scheduler import Scheduler


@serial(lambda nodes: nodes._scheduler.lock)
class FakeNodes:
    """Stands in for `flowrex.nomad.nodes.Nodes`.

    Attributes:
        configured: the `client` block of every node's agent, as Nomad has it where nobody says
            anything; None: none of them answers.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        retries = {key: {"Attempts": 12} for key in ("ConsulRetry", "VaultRetry", "NomadRetry")}
        self.configured: Mapping[str, Any] | None = {"TemplateConfig": retries}
        self._known: dict[str, Node] = {}
        self.add("n1")

    def add(self, name: str) -> None:
        """Let a node join."""
        self._known[name] = Node(str(uuid.uuid4()), name, "ready", True, False, "default", "dc1")

    def list(self) -> list[Node]:
        """Return every node, by name."""
        self._scheduler.answer()
        return [self._known[name] for name in sorted(self._known)]

    def configuration(self, node_id: str) -> Mapping[str, Any]:
        """Return the `client` block of a node's own agent."""
        self._find(node_id)
        if self.configured is None:
            raise ServerUnreachable("Nomad at http://10.0.0.1:4646 does not answer")
        return self.configured

    def drain(self, node_id: str, *, deadline_s: int, system: bool = False) -> None:
        """Move its allocations elsewhere, one of each job at a step."""
        self._change(node_id, eligible=False, draining=True)

    def undrain(self, node_id: str) -> None:
        """End a drain and let allocations come again."""
        self._change(node_id, eligible=True, draining=False)

    def free(self) -> str | None:
        """Return the node that an allocation is placed on, or None."""
        return next((one.name for one in self.list() if one.eligible), None)

    def migrate(self) -> None:
        """Let a step of every drain happen."""
        for node in [one for one in self.list() if one.draining]:
            moved = [self._move(job, node.name) for job in self._scheduler.known.values()]
            if not any(moved):
                self._known[node.name] = replace(node, draining=False)

    def _move(self, job: Job, name: str) -> bool:
        """Move one allocation; tell whether there was any."""
        there = [one for one in job.allocations if one.live and one.node == name]
        target = self.free()
        if not there or target is None:
            return bool(there)
        gone = there[0]
        replacement: Allocation = replace(
            gone,
            id=str(uuid.uuid4()),
            node=target,
            client_status="running",
            create_index=self._scheduler.next_index(),
        )
        ended = replace(
            gone, desired_status="stop", client_status="complete", replaced_by=replacement.id
        )
        job.allocations = [ended if one.id == gone.id else one for one in job.allocations]
        job.allocations.append(replacement)
        return True

    def _change(self, node_id: str, *, eligible: bool, draining: bool) -> None:
        found = self._find(node_id)
        self._known[found.name] = replace(found, eligible=eligible, draining=draining)

    def _find(self, node_id: str) -> Node:
        self._scheduler.answer()
        found = next((one for one in self._known.values() if one.id == node_id), None)
        if found is None:
            raise NotFound(f"Nomad at {self._scheduler.address} answers 404: node not found")
        return found
