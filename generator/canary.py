"""Is the canary good enough to replace the old version? Judged at the moment of promotion.

Nomad's own word is not enough: a canary can die, or fail its checks again, after the deployment
has counted it as healthy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flowrex.consul import ServiceCheck
from flowrex.nomad import Allocation, Check, Deployment, GroupState

PASSING = "passing"


@dataclass(frozen=True)
class Verdict:
    """Whether the canaries may be promoted, and why not."""

    reasons: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing speaks against promotion."""
        return not self.reasons


def judge(
    deployment: Deployment,
    allocations: Sequence[Allocation],
    checks: Sequence[ServiceCheck],
    declared: Sequence[Check],
) -> Verdict:
    """Judge the canaries of a deployment by Nomad's word and by Consul's.

    Args:
        deployment: as it is now.
        allocations: the deployment's.
        checks: what Consul says of every instance of the job's services.
        declared: the checks that the job's spec asks Consul for.
    """
    return Verdict(
        tuple(
            reason
            for name, group in sorted(deployment.groups.items())
            if group.waits_for_promotion
            for reason in _group(name, group, allocations, checks, declared)
        )
    )


def _group(
    name: str,
    group: GroupState,
    allocations: Sequence[Allocation],
    checks: Sequence[ServiceCheck],
    declared: Sequence[Check],
) -> Iterator[str]:
    # A canary that was replaced stays in the deployment's list.
    canaries = [one for one in allocations if one.id in group.canaries and one.live]
    if len(canaries) < group.desired_canaries:
        yield f"group {name} has {len(canaries)} of {group.desired_canaries} canaries placed"
    for canary in canaries:
        who = f"canary {canary.short_id}"
        if canary.client_status != "running":
            yield f"{who} is {canary.client_status}"
        elif canary.healthy is not True:
            state = "unhealthy" if canary.healthy is False else "not healthy yet"
            yield f"{who} is {state} in Nomad"
        else:
            for reason in _checks(canary, checks, declared):
                yield f"{who}: {reason}"


def _checks(
    canary: Allocation, checks: Sequence[ServiceCheck], declared: Sequence[Check]
) -> Iterator[str]:
    own = [check for check in checks if canary.id in check.service_id]
    for check in own:
        if check.status != PASSING:
            yield f"check {check.name} is {check.status} in Consul"
    known = {check.name for check in own}
    for wanted in declared:
        if wanted.name not in known:
            yield f"Consul does not know check {wanted.name} of service {wanted.service}"
