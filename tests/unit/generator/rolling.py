"""What tests of rollouts have in common: specs, a clock that jumps, and a watch that listens."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from flowrex.consul import ConsulClient
from flowrex.errors import ServerRefused
from flowrex.nomad import NomadClient
from flowrex.testing.consul import FakeConsul
from flowrex.testing.nomad import FakeNomad
from generator.deploy import Step
from generator.environment import Environment
from generator.plan import Action
from generator.render import RenderedJob
from generator.setup import Setup
from generator.watch import Event, Watch


class JumpingClock:
    """Time that passes only when somebody looks at it or sleeps."""

    def __init__(self, step: float = 1.0) -> None:
        self.time, self.step = 0.0, step

    def now(self) -> float:
        self.time += self.step
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def spec(
    name: str = "backend",
    *,
    kind: str = "service",
    count: int = 2,
    canary: int = 1,
    auto_revert: bool = True,
    **meta: str,
) -> dict[str, Any]:
    """Return a job; `meta` also makes one version differ from the other."""
    group = {
        "Name": name,
        "Count": count,
        "Update": {"Canary": canary, "AutoRevert": auto_revert},
        "Tasks": [{"Name": name}],
    }
    return {"ID": name, "Type": kind, "Meta": meta, "TaskGroups": [group]}


def rendered(job: dict[str, Any]) -> RenderedJob:
    text = json.dumps(job)
    kind = cast(Literal["service", "batch", "system"], job["Type"])
    digest = hashlib.sha256(text.encode()).hexdigest()
    return RenderedJob(name=job["ID"], kind=kind, hcl=text, sha256=digest)


def step(nomad: FakeNomad, job: dict[str, Any], action: Action | None = None) -> Step:
    """Return the step that a plan made now would give."""
    there = nomad.jobs.find(job["ID"])
    index = there.job_modify_index if there else 0
    chosen: Action = action or ("update" if there else "create")
    return Step(rendered(job), index, there.version if there else None, chosen)


@dataclass
class Rig:
    """A fake Nomad and a fake Consul, and somebody who listens."""

    nomad: FakeNomad = field(default_factory=FakeNomad)
    consul: FakeConsul = field(default_factory=FakeConsul)
    events: list[Event] = field(default_factory=list)
    clock: JumpingClock = field(default_factory=JumpingClock)

    def watch(self, **more: Any) -> Watch:
        settings: dict[str, Any] = {
            "deadline_s": 100.0,
            "tell": self.events.append,
            "clock": self.clock,
            **more,
        }
        nomad, consul = cast(NomadClient, self.nomad), cast(ConsulClient, self.consul)
        return Watch("dev", nomad, consul, **settings)

    def setup(self, environment: Environment) -> Setup:
        nomad, consul = cast(NomadClient, self.nomad), cast(ConsulClient, self.consul)
        return Setup(environment, nomad, consul, self.events.append, 0.0)

    @property
    def told(self) -> list[str]:
        """The words of the events."""
        return [event.what for event in self.events]

    def refuse_to_fail(self, times: int) -> list[str]:
        """Let Nomad have no leader when deployments are to be failed; return the attempts."""
        real_fail, tried = self.nomad.deployments.fail, list[str]()

        def fail(deployment_id: str) -> None:
            tried.append(deployment_id)
            if len(tried) <= times:
                raise ServerRefused("Nomad answers 500: No cluster leader")
            real_fail(deployment_id)

        self.nomad.deployments.fail = fail  # type: ignore[method-assign]
        return tried

    def in_service(self, job: dict[str, Any]) -> None:
        """Bring a job into service without anybody watching."""
        there = self.nomad.jobs.find(job["ID"])
        index = there.job_modify_index if there else 0
        self.nomad.jobs.register(job, expected_index=index)
        for _ in range(4):
            deployment = self.nomad.deployments.of_job(job["ID"])[0]
            if deployment.waits_for_promotion and deployment.groups[job["ID"]].healthy:
                self.nomad.promote(deployment.id)
            self.nomad.tick()
        self.nomad.written.clear()
