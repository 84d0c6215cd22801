"""Check `traffic`: requests through nginx reach every instance of the backend."""

from __future__ import annotations

import re

from generator.checks.model import Finding, Ground, failed, passed
from generator.postdeploy.endpoints import ENTRY, OUTSIDE, SENT_TO_TLS

SERVICE = "backend"
# Consul's own checks ask for other routes.
_PATH = "/health"
_COUNTED = re.compile(r'^http_requests_total\{[^}]*route="/health"[^}]*\} ([0-9.e+]+)$', re.M)
# Each process of nginx deals its requests out by itself, beginning with the same instance.
_FOR_EACH = 8


def look(ground: Ground) -> Finding:
    """Send requests through nginx, and see by each instance's own counter that it got some."""
    entries = ground.consul.services(ENTRY, passing_only=True)
    instances = ground.consul.services(SERVICE, passing_only=True)
    if not entries or not instances:
        return failed(
            f"No healthy {SERVICE if entries else ENTRY} is registered in Consul",
            hint=f"flowrexctl status {ground.environment.name}",
        )
    addresses = [f"{one.address}:{one.port}" for one in instances]
    before = {one: _count(ground, one) for one in addresses}
    for number in range(_FOR_EACH * len(instances)):
        entry = entries[number % len(entries)]
        url = f"http://{entry.address}:{entry.port}{_PATH}"
        if ground.page(url).status == SENT_TO_TLS:
            return failed(f"{url} answers {SENT_TO_TLS}", hint=OUTSIDE)
    grown = {one: _count(ground, one) - before[one] for one in addresses}
    lines = [f"{one}: {count:.0f} requests" for one, count in grown.items()]
    if not all(grown.values()):
        return failed(
            "An instance gets no request",
            *lines,
            hint=f"flowrexctl logs {ground.environment.name} {ENTRY}: does it follow Consul?",
        )
    return passed(f"All {len(instances)} instances get requests", *lines)


def _count(ground: Ground, address: str) -> float:
    text = ground.page(f"http://{address}/metrics").text
    return sum(float(found) for found in _COUNTED.findall(text))
