"""What a failing check says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowrex.nomad import Allocation
from generator.diagnose.cause import Cause, Rank, group_of
from generator.facts import Facts, FailedCheck

_HTTP = re.compile(
    r"HTTP (?P<method>\w+) (?P<url>\S+): (?P<answer>\d+ [^:]*?) Output: ?(?P<body>.*)"
)
_REFUSED = re.compile(r"dial tcp (?P<where>\S+): connect: connection refused")
_TIMEOUT = re.compile(r"(?P<url>https?://[^\s\"]+)\"?: .*(deadline exceeded|Client\.Timeout)")
_NANOSECONDS = 1_000_000_000


def read(allocation: Allocation, facts: Facts) -> Iterator[Cause]:
    """Yield a reason for each check of an allocation that does not pass."""
    for (owner, _), check in sorted(facts.checks.items()):
        if owner == allocation.id:
            declared = _declared(facts, allocation.group, check.name)
            yield Cause(
                Rank.CHECK, f"check {check.name} is {check.status}: {_says(check, declared)}"
            )


def unregistered(allocation: Allocation, facts: Facts) -> Iterator[Cause]:
    """Yield a reason for each check of a running allocation that Consul was never told of."""
    if facts.registered is None or allocation.id in facts.registered:
        return
    running = allocation.tasks and all(one.state == "running" for one in allocation.tasks.values())
    if not running or allocation.client_status != "running":
        return
    for service, check in _checks(facts, allocation.group):
        yield Cause(
            Rank.CHECK,
            f"Consul has never known check {check.get('Name')} of service {service}; the service "
            "is not registered",
        )


def _says(check: FailedCheck, declared: Mapping[str, Any]) -> str:
    output = check.output
    if not output:
        return "it has said nothing yet"
    if found := _HTTP.match(output):
        body = f": {found['body']}" if found["body"] else ""
        return f"{found['method']} {found['url']} answers {found['answer']}{body}"
    if found := _REFUSED.search(output):
        return f"nothing listens on {found['where']} (connection refused)"
    if found := _TIMEOUT.search(output):
        timeout = (declared.get("Timeout") or 0) / _NANOSECONDS
        within = f" within {timeout:g} s" if timeout else " in time"
        return f"{found['url']} does not answer{within}"
    return output


def _declared(facts: Facts, group: str, name: str) -> Mapping[str, Any]:
    return next((one for _, one in _checks(facts, group) if one.get("Name") == name), {})


def _checks(facts: Facts, group: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the checks that a group and its tasks ask Consul for, each with its service's name."""
    found = group_of(facts.spec, group)
    services = list(found.get("Services") or ())
    for task in found.get("Tasks") or ():
        services.extend(task.get("Services") or ())
    for service in services:
        if service.get("Provider", "consul") == "consul":
            for check in service.get("Checks") or ():
                yield service["Name"], check
