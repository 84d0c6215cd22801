"""Where instances are, and which of their checks fail."""

from __future__ import annotations

from typing import cast

from flowrex.consul import ConsulClient, ServiceCheck, ServiceInstance
from flowrex.testing.consul import FakeConsul
from generator import instances
from generator.instances import Instance


def registered(number: int, *tags: str) -> ServiceInstance:
    return ServiceInstance(f"id-{number}", "10.0.0.1", 8000 + number, tags, f"node-{number}")


def test_each_instance_has_its_place_and_its_failing_checks() -> None:
    consul = FakeConsul()
    consul.instances["backend"] = [registered(2, "release-1.0.0", "canary"), registered(1)]
    consul.checks["backend"] = [
        ServiceCheck("id-1", "c1", "ready", "passing", ""),
        ServiceCheck("id-2", "c2", "ready", "critical", "503"),
        ServiceCheck("id-2", "c3", "live", "passing", ""),
    ]
    assert instances.read(cast(ConsulClient, consul), ("migrate", "backend")) == (
        Instance("backend", "node-1", "10.0.0.1:8001", False, ()),
        Instance("backend", "node-2", "10.0.0.1:8002", True, ("ready",)),
    )
