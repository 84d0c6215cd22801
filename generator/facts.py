"""What is seen while a deployment is watched, kept for the case that it fails.

Nomad stops the allocations of a failed version, and Consul forgets their checks at that moment:
what will be needed for the explanation is collected on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flowrex.consul import ConsulClient, ServiceCheck
from flowrex.errors import ServerUnreachable
from flowrex.nomad import Allocation, Check, Deployment, NomadClient
from generator import mask
from generator.canary import PASSING

_LOG_LINES = 10
_LOG_BYTES = 8192
_LOG_WIDTH = 300
_OUTPUT = 400
_TAGS = re.compile(r"<!?/?[a-zA-Z][^>]*>")


@dataclass(frozen=True)
class FailedCheck:
    """The last output of a check that was not passing."""

    allocation: str
    name: str
    status: str
    output: str


@dataclass
class Facts:
    """What is known about one version's way into service.

    Attributes:
        job: the job.
        version: the version that is deployed.
        spec: the version as Nomad stores it; empty where it is not known.
        deployment: Nomad's account of it, as last seen.
        allocations: by id, as last seen.
        checks: the checks that were not passing when last seen.
        unready: why its canary can't be promoted, in sentences.
        registered: the allocations of which Consul has known a check; None: it was not asked.
        placement: why allocations can't be placed, in sentences.
        logs: (allocation, task) to the last lines that it wrote.
        streams: allocation to the stream that its lines are from.
        sources: what a template waits for, to whether it is there; None: not known.
        reverted_to: the version that Nomad went back to, by itself.
        told: the task events that a person was told of.
    """

    job: str
    version: int
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)
    deployment: Deployment | None = None
    allocations: dict[str, Allocation] = field(default_factory=dict)
    checks: dict[tuple[str, str], FailedCheck] = field(default_factory=dict)
    unready: tuple[str, ...] = ()
    registered: set[str] | None = None
    placement: tuple[str, ...] = ()
    logs: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    streams: dict[str, str] = field(default_factory=dict)
    sources: dict[str, bool | None] = field(default_factory=dict)
    reverted_to: int | None = None
    told: set[tuple[str, str, str]] = field(default_factory=set)

    def see_allocations(self, allocations: Iterable[Allocation]) -> None:
        """Remember the allocations."""
        self.allocations.update({one.id: one for one in allocations})

    def see_checks(self, checks: Sequence[ServiceCheck]) -> None:
        """Remember the checks that are not passing, and forget those that are again."""
        self.registered = self.registered or set()
        for check in checks:
            owner = next((one for one in self.allocations if one in check.service_id), None)
            if owner is None:
                continue
            self.registered.add(owner)
            key = (owner, check.name)
            if check.status == PASSING:
                self.checks.pop(key, None)
            elif check.output.strip() or key not in self.checks:
                text = _TAGS.sub(" ", check.output)
                output = mask.line(" ".join(text.split()))[:_OUTPUT]
                self.checks[key] = FailedCheck(owner, check.name, check.status, output)

    @property
    def culprits(self) -> list[Allocation]:
        """The allocations that failed or did not become healthy, the newest first."""
        own = [one for one in self.allocations.values() if one.job_version == self.version]
        bad = [one for one in own if one.client_status in {"failed", "lost"}]
        bad += [one for one in own if one.healthy is False and one not in bad]
        bad += [one for one in own if one.healthy is None and one not in bad]
        return sorted(bad, key=lambda one: one.create_index, reverse=True)


def services_of(declared: Sequence[Check]) -> list[str]:
    """Return the services that have checks, each once."""
    return sorted({check.service for check in declared})


def consul_checks(consul: ConsulClient, declared: Sequence[Check]) -> list[ServiceCheck]:
    """Ask Consul for the checks of every service of a job.

    A Consul agent tells the servers a check's status at once, and its output only every
    `check_update_interval` (5 minutes unless set): where the output is missing, the agent that is
    asked may know it.
    """
    checks = [check for service in services_of(declared) for check in consul.checks_of(service)]
    if all(check.status == PASSING or check.output for check in checks):
        return checks
    try:
        known = consul.request("GET", "/v1/agent/checks") or {}
    except ServerUnreachable:
        return checks
    return [
        replace(check, output=check.output or known.get(check.check_id, {}).get("Output") or "")
        for check in checks
    ]


def collect_logs(nomad: NomadClient, facts: Facts, *, at_most: int = 1) -> None:
    """Fetch the last log lines of the newest culprits; what can't be had is left out.

    Args:
        nomad: where the logs are.
        facts: gets the lines.
        at_most: of how many allocations.
    """
    for allocation in facts.culprits[:at_most]:
        for task in allocation.tasks:
            for stream in ("stderr", "stdout"):
                try:
                    text = nomad.allocations.tail(
                        allocation.id, task, stream=stream, max_bytes=_LOG_BYTES
                    )
                except ServerUnreachable:
                    continue
                if text.strip():
                    lines = mask.lines(text.strip())[-_LOG_LINES:]
                    facts.logs[(allocation.id, task)] = tuple(one[:_LOG_WIDTH] for one in lines)
                    facts.streams[allocation.id] = stream
                    break
