"""A ground on which every hard stop passes, for a test to spoil one thing of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from flowrex import keys
from flowrex.backup_state import BackupState
from flowrex.consul import ConsulClient, ServiceCheck, ServiceInstance
from flowrex.errors import ServerUnreachable
from flowrex.nomad import NomadClient
from flowrex.testing.consul import FakeConsul
from flowrex.testing.nomad import FakeNomad
from generator import audited, evidence
from generator.checks.model import Certificate, Finding, Ground
from generator.environment import Environment, load
from generator.fetch import Page
from generator.render import RenderedJob
from tests.unit.generator.rolling import spec

ROOT = Path(__file__).parents[4]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOCKS = (audited.APPLICATION, audited.FRONTEND)
HCL = """
job "backend" {
  group "backend" {
    task "backend" {
      resources {
        cpu        = 100
        memory     = 64
        memory_max = 128
      }
    }
  }
}
"""


@dataclass
class World:
    """What the stops see: a deployed backend, healthy and watched, on a project that is clean."""

    root: Path
    environment: Environment
    consul: FakeConsul = field(default_factory=FakeConsul)
    nomad: FakeNomad = field(default_factory=FakeNomad)
    pages: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, Page | Callable[[], Page]] = field(default_factory=dict)
    certificates: Callable[[str, int], Certificate] = lambda host, port: Certificate(
        host, NOW + timedelta(days=60)
    )
    secrets: list[str] = field(default_factory=list)
    revision: str | None = COMMIT
    jobs: tuple[RenderedJob, ...] = (RenderedJob("backend", "service", HCL, "0" * 64),)

    def ground(self) -> Ground:
        return Ground(
            environment=self.environment,
            root=self.root,
            jobs=self.jobs,
            nomad=cast(NomadClient, self.nomad),
            consul=cast(ConsulClient, self.consul),
            now=NOW,
            revision=lambda: self.revision,
            fetch=self.fetch,
            certificate=self.certificates,
            secrets=lambda root: list(self.secrets),
            page=self.page,
            since=NOW - timedelta(minutes=5),
        )

    def look(self, stop: Callable[[Ground], Finding]) -> Finding:
        return stop(self.ground())

    def fetch(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        if url not in self.pages:
            raise ServerUnreachable(f"{url} does not answer: refused")
        return self.pages[url]

    def page(self, url: str) -> Page:
        if url not in self.texts:
            raise ServerUnreachable(f"{url} does not answer: refused")
        found = self.texts[url]
        return found() if callable(found) else found

    def back_up(self, **changes: Any) -> None:
        """Publish how good the backups are."""
        state = BackupState(
            "flowrex", "n1", at(0), 3, "b3", at(1), "b3", at(1), at(1), "b2", at(24), True
        )
        key = keys.backups("flowrex")
        self.consul.kv_put(key, replace(state, **changes).encode())

    def prove(self, proof: evidence.Tests | evidence.Vulnerabilities) -> None:
        evidence.record(cast(ConsulClient, self.consul), "prod", proof)

    def deploy(self) -> None:
        service = {"Name": "backend", "Checks": [{"Name": "live"}, {"Name": "ready"}]}
        job = spec()
        job["TaskGroups"][0]["Services"] = [service]
        self.nomad.jobs.register(job, expected_index=0)
        for _ in range(3):
            self.nomad.tick()
        self.check("passing")
        self.consul.instances["backend"] = [ServiceInstance("b-1", "10.0.0.1", 80, (), "n1")]

    def check(self, status: str, output: str = "") -> None:
        self.consul.checks["backend"] = [
            ServiceCheck("b-1", name, name, status, output) for name in ("live", "ready")
        ]

    def record(self, kind: str, *, outcome: str = "done", hours: float = 1) -> None:
        """Leave a release record."""
        started = at(hours)
        name = f"{started}-{kind}"
        document = {
            "id": name, "environment": "prod", "kind": kind, "version": "1.0.0",
            "outcome": outcome, "started": started, "ended": started,
            "holder": {"who": "op", "host": "here"},
        }  # fmt: skip
        self.consul.kv_put(keys.release("prod", name), json.dumps(document))


def at(hours: float) -> str:
    """Return the time so many hours before now."""
    return (NOW - timedelta(hours=hours)).isoformat()


def cap(name: str = "order_cap", *, enforced: bool = True) -> dict[str, Any]:
    return {"name": name, "code": "1000000", "database": "(quantity <= …)", "enforced": enforced}


def where_all_is_well(root: Path) -> World:
    """Return a world on which every hard stop passes.

    Args:
        root: an empty folder, which becomes the project's.
    """
    for lock in LOCKS:
        (root / lock.path).parent.mkdir()
        (root / lock.path).write_text(lock.tool)
    world = World(root, load(ROOT, "prod", environ={}))
    world.deploy()
    world.back_up()
    world.record("run", hours=50)
    world.record("rollback", hours=40)
    world.prove(evidence.Tests(COMMIT, at(1), "ci@here", 100, 0, 0, 2))
    for lock in LOCKS:
        sha = sha_of_lock(lock)
        world.prove(evidence.Vulnerabilities(sha, at(1), "ci@here", 1, (), lock.path))
    api = "http://10.0.0.9:9090/api/v1"
    world.consul.instances["prometheus"] = [ServiceInstance("p-1", "10.0.0.9", 9090, (), "n1")]
    up = {"labels": {"job": "backend", "instance": "10.0.0.1:80"}, "health": "up"}
    world.pages = {
        f"{api}/targets": answer(activeTargets=[up]),
        f"{api}/rules": answer(groups=[{"rules": [{"name": "Down"}]}]),
        f"{api}/alertmanagers": answer(activeAlertmanagers=[{"url": "http://a"}]),
        "http://10.0.0.1:80/api/v1/limits": {"caps": [cap(), cap("position_cap")]},
    }
    return world


def answer(**data: Any) -> dict[str, Any]:
    """Return an answer of Prometheus'."""
    return {"status": "success", "data": data}


def sha_of_lock(lock: audited.Lock) -> str:
    """Return the checksum of a lock file of `where_all_is_well`."""
    return hashlib.sha256(lock.tool.encode()).hexdigest()
