"""Nomad's HTTP API, as far as Flowrex uses it; typed answers outside.

    nomad = NomadClient("http://127.0.0.1:4646", token)
    job = nomad.jobs.parse(hcl)
    plan = nomad.jobs.plan(job)
    nomad.jobs.register(job, expected_index=plan["JobModifyIndex"])

Every method raises `ServerUnreachable`, `PermissionRefused`, `NotFound` or `ServerRefused`; no
exception of the library leaves this package.
"""

from __future__ import annotations

from flowrex.nomad.allocations import Allocations
from flowrex.nomad.deployments import Deployments
from flowrex.nomad.jobs import IndexConflict, Jobs, Submitted
from flowrex.nomad.model import (
    Allocation,
    Check,
    Deployment,
    Evaluation,
    GroupState,
    JobVersion,
    Node,
    TaskEvent,
    TaskState,
)
from flowrex.nomad.nodes import Nodes
from flowrex.nomad.transport import Transport
from flowrex.secret import Secret


class NomadClient:
    """One Nomad, reached with one token; its endpoints by subject."""

    def __init__(
        self,
        address: str,
        token: Secret | None = None,
        *,
        region: str | None = None,
        namespace: str = "default",
        timeout_s: float = 10.0,
        verify: bool | str = True,
    ) -> None:
        """Prepare the client; nothing is sent yet.

        Args:
            address: for example `http://127.0.0.1:4646`.
            token: the ACL token, or None for an anonymous client.
            region: None asks the region of the server at `address`.
            namespace: where the jobs live.
            timeout_s: how long a plain request may take, in seconds.
            verify: whether the server's certificate is checked, or the CA file to check it with.
        """
        self.transport = Transport(
            address,
            token,
            region=region,
            namespace=namespace,
            timeout_s=timeout_s,
            verify=verify,
        )
        self.address = self.transport.address
        self.jobs = Jobs(self.transport)
        self.deployments = Deployments(self.transport)
        self.allocations = Allocations(self.transport)
        self.nodes = Nodes(self.transport)

    def leader(self) -> str:
        """Return the address of the servers' leader; empty while none is elected."""
        return str(self.transport.get("status/leader") or "")


__all__ = [
    "Allocation",
    "Check",
    "Deployment",
    "Evaluation",
    "GroupState",
    "IndexConflict",
    "JobVersion",
    "Node",
    "NomadClient",
    "Submitted",
    "TaskEvent",
    "TaskState",
]
