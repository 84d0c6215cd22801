"""Where a job's instances are, as Consul's catalog tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowrex.consul import ConsulClient, ServiceCheck, ServiceInstance


@dataclass(frozen=True)
class Instance:
    """One registered instance.

    Attributes:
        job: its job, which is also its service's name.
        node: the node it runs on.
        address: host and port at which it is reached.
        canary: whether it is a canary.
        failing: the names of its checks that do not pass.
    """

    job: str
    node: str
    address: str
    canary: bool
    failing: tuple[str, ...]

    def as_document(self) -> Mapping[str, Any]:
        """Return what `--json` prints."""
        return {
            "job": self.job,
            "node": self.node,
            "address": self.address,
            "canary": self.canary,
            "failing_checks": list(self.failing),
        }


def read(consul: ConsulClient, names: Sequence[str]) -> tuple[Instance, ...]:
    """Ask Consul for the instances of jobs.

    Args:
        consul: where they are registered.
        names: the jobs, in the order in which their instances are returned.

    Raises:
        ServerUnreachable: Consul does not answer, or refuses.
    """
    return tuple(
        instance
        for name in names
        for instance in of_job(
            name, consul.services(name, passing_only=False), consul.checks_of(name)
        )
    )


def of_job(
    job: str, registered: Sequence[ServiceInstance], checks: Sequence[ServiceCheck]
) -> list[Instance]:
    """Put the instances and the checks of one job together, sorted by node and address."""
    found = [
        Instance(
            job,
            one.node,
            f"{one.address}:{one.port}",
            "canary" in one.tags,
            tuple(c.name for c in checks if c.service_id == one.id and c.status != "passing"),
        )
        for one in registered
    ]
    return sorted(found, key=lambda one: (one.node, one.address))
