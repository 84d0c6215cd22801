"""A Nomad in memory with the client's face; time passes when somebody waits.

See `flowrex.testing.scheduler` for how jobs behave in it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from flowrex.errors import NotFound, ServerRefused
from flowrex.nomad.jobs import IndexConflict, JobStub, Submitted
from flowrex.nomad.model import Allocation, Deployment, Evaluation, JobVersion
from flowrex.testing.difference import difference
from flowrex.testing.scheduler import Scheduler
from flowrex.testing.serial import serial

Spec = Mapping[str, Any]


class FakeNomad(Scheduler):
    """Stands in for `flowrex.nomad.NomadClient`.

    Attributes:
        logs: (task, stream) to what `tail` answers.
        written: every change that was asked for, as (verb, job).
    """

    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[tuple[str, str], str] = {}
        self.written: list[tuple[str, str]] = []
        self.jobs = _Jobs(self)
        self.deployments = _Deployments(self)
        self.allocations = _Allocations(self)

    def leader(self) -> str:
        """Return an address."""
        self.answer()
        return "127.0.0.1:4647"


@serial(lambda part: part._nomad.lock)
class _Jobs:
    def __init__(self, nomad: FakeNomad) -> None:
        self._nomad = nomad

    def parse(self, hcl: str, *, variables: str = "") -> dict[str, Any]:
        self._nomad.answer()
        spec: dict[str, Any] = json.loads(hcl)
        return spec

    def plan(self, job: Spec) -> dict[str, Any]:
        self._nomad.answer()
        there = self._nomad.known.get(job["ID"])
        if there is None:
            return {"Diff": {"Type": "Added"}, "JobModifyIndex": 0}
        return {
            "Diff": difference(there.current.spec, job),
            "JobModifyIndex": there.current.job_modify_index,
        }

    def register(self, job: Spec, *, expected_index: int, source: str | None = None) -> Submitted:
        self._nomad.answer()
        there = self._nomad.known.get(job["ID"])
        index = there.current.job_modify_index if there else 0
        if index != expected_index:
            raise IndexConflict(f"Enforcing job modify index {expected_index}: it is {index}")
        self._nomad.written.append(("register", job["ID"]))
        return self._nomad.add_version(job)

    def stubs(self) -> list[JobStub]:
        self._nomad.answer()
        found = [
            JobStub(
                name,
                job.current.type,
                "running",
                job.current.stop,
                job.current.spec.get("ParentID") or "",
            )
            for name, job in self._nomad.known.items()
        ]
        return sorted(found, key=lambda one: one.id)

    def get(self, job_id: str) -> JobVersion:
        return self._nomad.job(job_id).current

    def find(self, job_id: str) -> JobVersion | None:
        try:
            return self.get(job_id)
        except NotFound:
            return None

    def versions(self, job_id: str) -> list[JobVersion]:
        return self._nomad.job(job_id).versions[::-1]

    def version_diffs(
        self, job_id: str, *, against: int | None = None
    ) -> tuple[list[JobVersion], list[dict[str, Any]]]:
        versions = self.versions(job_id)
        if against is not None:
            base = next((one for one in versions if one.version == against), None)
            if base is None:
                raise ServerRefused(f"version {against} not found")
            return versions, [difference(base.spec, new.spec) for new in versions]
        return versions, [difference(old.spec, new.spec) for new, old in pairwise(versions)]

    def revert(self, job_id: str, version: int, *, current: int) -> Submitted:
        job = self._nomad.job(job_id)
        if job.current.version != current:
            raise ServerRefused(
                f"Current job has version {job.current.version}; enforcing version {current}"
            )
        target = next((one for one in job.versions if one.version == version), None)
        if target is None:
            raise ServerRefused(f"job {job_id!r} at version {version} not found")
        self._nomad.written.append(("revert", job_id))
        return self._nomad.add_version(target.spec)

    def tag(self, job_id: str, version: int, name: str, description: str = "") -> None:
        versions = self._nomad.job(job_id).versions
        if any(one.tag == name and one.version != version for one in versions):
            raise ServerRefused(f"tag {name!r} already exists on a different version")
        said = {"Name": name, "Description": description}
        self._nomad.change_version(job_id, version, VersionTag=said)

    def untag(self, job_id: str, name: str) -> None:
        for one in self._nomad.job(job_id).versions:
            if one.tag == name:
                self._nomad.change_version(job_id, one.version, VersionTag=None)

    def stop(self, job_id: str, *, purge: bool = False) -> str:
        job = self._nomad.job(job_id)
        self._nomad.written.append(("stop", job_id))
        if purge:
            del self._nomad.known[job_id]
            return ""
        return self._nomad.add_version({**job.current.spec, "Stop": True}).evaluation_id

    def scale(self, job_id: str, group: str, count: int, *, reason: str = "") -> str:
        job = self._nomad.job(job_id)
        if any(one.active for one in job.deployments):
            raise ServerRefused("job scaling blocked due to active deployment")
        before = job.current
        groups = [
            {**one, "Count": count} if one["Name"] == group else one
            for one in before.spec["TaskGroups"]
        ]
        self._nomad.written.append(("scale", job_id))
        made = self._nomad.add_version({**before.spec, "TaskGroups": groups})
        # Nomad copies both; the tag is there twice then.
        kept = {name: before.spec[name] for name in ("Stable", "VersionTag")}
        self._nomad.change_version(job_id, before.version + 1, **kept)
        return made.evaluation_id

    def evaluate(self, job_id: str) -> str:
        job = self._nomad.job(job_id)
        self._nomad.written.append(("evaluate", job_id))
        made = replace(job.evaluations[0], id=str(uuid.uuid4()), triggered_by="job-register")
        job.evaluations.insert(0, made)
        return made.id

    def evaluation(self, evaluation_id: str) -> Evaluation:
        self._nomad.answer()
        for job in self._nomad.known.values():
            for one in job.evaluations:
                if one.id == evaluation_id:
                    return one
        raise NotFound("evaluation not found")

    def wait_evaluation(
        self, evaluation_id: str, index: int, wait_s: float
    ) -> tuple[Evaluation, int]:
        return self.evaluation(evaluation_id), self._nomad.index

    def evaluations(self, job_id: str) -> list[Evaluation]:
        return list(self._nomad.job(job_id).evaluations)


@serial(lambda part: part._nomad.lock)
class _Deployments:
    def __init__(self, nomad: FakeNomad) -> None:
        self._nomad = nomad

    def of_job(self, job_id: str) -> list[Deployment]:
        self._nomad.answer()
        job = self._nomad.known.get(job_id)
        return job.deployments[::-1] if job else []

    def get(self, deployment_id: str) -> Deployment:
        job, position = self._nomad.find(deployment_id)
        return job.deployments[position]

    def wait(self, deployment_id: str, index: int, wait_s: float) -> tuple[Deployment, int]:
        self._nomad.tick()
        return self.get(deployment_id), self._nomad.index

    def allocations(self, deployment_id: str) -> list[Allocation]:
        job, _ = self._nomad.find(deployment_id)
        return [one for one in job.allocations if one.deployment_id == deployment_id]

    def promote(self, deployment_id: str) -> None:
        self._nomad.promote(deployment_id)
        self._nomad.written.append(("promote", self.get(deployment_id).job_id))

    def fail(self, deployment_id: str) -> None:
        self._nomad.fail(deployment_id)
        self._nomad.written.append(("fail", self.get(deployment_id).job_id))


@serial(lambda part: part._nomad.lock)
class _Allocations:
    def __init__(self, nomad: FakeNomad) -> None:
        self._nomad = nomad

    def of_job(self, job_id: str) -> list[Allocation]:
        self._nomad.answer()
        job = self._nomad.known.get(job_id)
        return job.allocations[::-1] if job else []

    def wait_job(self, job_id: str, index: int, wait_s: float) -> tuple[list[Allocation], int]:
        self._nomad.tick()
        return self.of_job(job_id), self._nomad.index

    def tail(
        self, allocation_id: str, task: str, *, stream: str = "stdout", max_bytes: int = 65536
    ) -> str:
        self._nomad.answer()
        return self._nomad.logs.get((task, stream), "")
