"""What Nomad does with jobs, in memory: versions, deployments, canaries, reverts.

Time passes in ticks: each moves every deployment one step on. A job's meta says how it behaves:
`behaviour = "unhealthy"`, `"unplaceable"` or `"exit 3"`.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowrex.errors import NotFound, ServerRefused, ServerUnreachable
from flowrex.nomad.jobs import Submitted
from flowrex.nomad.model import (
    Allocation,
    Deployment,
    Evaluation,
    GroupState,
    JobVersion,
    TaskEvent,
    TaskState,
    moment,
)
from flowrex.testing.job import Job, behaviour, differs, forget
from flowrex.testing.nodes import FakeNodes
from flowrex.testing.serial import serial

Spec = Mapping[str, Any]


@serial(lambda scheduler: scheduler.lock)
class Scheduler:
    """Jobs, and what becomes of them.

    Attributes:
        down: set it to make every call raise `ServerUnreachable`.
        index: grows with each change.
        known: the jobs by id.
        nodes: where they run.
        lock: held by whoever looks at them or changes them.
    """

    address = "fake://nomad"

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.down = False
        self.index = 10
        self.known: dict[str, Job] = {}
        self.nodes = FakeNodes(self)

    def answer(self) -> None:
        """Raise where the server is down."""
        if self.down:
            raise ServerUnreachable(f"Nomad at {self.address} does not answer: it is down")

    def job(self, job_id: str) -> Job:
        """Return a job or say that there is none."""
        self.answer()
        if job_id not in self.known:
            raise NotFound(f"Nomad at {self.address} answers 404: job not found")
        return self.known[job_id]

    def next_index(self) -> int:
        """Count one change."""
        self.index += 1
        return self.index

    def add_version(self, spec: Spec) -> Submitted:
        """Make `spec` the newest version of its job and schedule it."""
        job = self.known.setdefault(spec["ID"], Job())
        index = self.next_index()
        number = job.current.version + 1 if job.versions else 0
        stored = {
            **copy.deepcopy(dict(spec)),
            "Version": number,
            "Stable": False,
            "Status": "running",
            "Stop": bool(spec.get("Stop")),
            "JobModifyIndex": index,
            "SubmitTime": index * 1_000_000_000,
            "VersionTag": None,
        }
        job.versions.append(JobVersion.parse(stored))
        forget(job)
        return Submitted("" if job.current.periodic else self._schedule(job), index)

    def start_periodic(self, job_id: str) -> str:
        """Let a job's schedule start it, and return the name of the job that this makes."""
        spec = self.job(job_id).current.spec
        started = f"{job_id}/periodic-{self.index + 1}"
        self.add_version({**spec, "ID": started, "ParentID": job_id, "Periodic": None})
        return started

    def _schedule(self, job: Job) -> str:
        version = job.current
        for position, old in enumerate(job.deployments):
            if old.active:
                job.deployments[position] = replace(
                    old, status="cancelled", description="Cancelled due to newer version of job"
                )
        deployment = None
        if version.stop:
            self._stop(job, lambda _: True)
        elif version.type == "service" and version.count:
            deployment = self._new_deployment(job, version)
            job.deployments.append(deployment)
        elif version.type == "batch":
            self._place(job, version, None, version.count, canary=False)
        evaluation = Evaluation(
            id=str(uuid.uuid4()),
            status="complete",
            description="",
            deployment_id=deployment.id if deployment else None,
            blocked_id=None,
            failed_placements={},
            triggered_by="job-register",
        )
        job.evaluations.insert(0, evaluation)
        if behaviour(version) == "unplaceable":
            metric = {"NodesEvaluated": 1, "NodesInPool": 1, "DimensionExhausted": {"memory": 1}}
            blocked = replace(
                evaluation,
                id=str(uuid.uuid4()),
                status="blocked",
                failed_placements={version.job_id: metric},
            )
            job.evaluations.insert(0, blocked)
        return evaluation.id

    def _new_deployment(self, job: Job, version: JobVersion) -> Deployment:
        group = version.groups[0]
        update = group.get("Update") or version.spec.get("Update") or {}
        running = [one for one in job.allocations if one.live]
        canaries = update.get("Canary", 0) if running and differs(job) else 0
        state = GroupState(
            desired_total=group["Count"],
            desired_canaries=canaries,
            placed=0,
            healthy=0,
            unhealthy=0,
            canaries=(),
            promoted=False,
            auto_revert=bool(update.get("AutoRevert")),
            progress_by=None,
        )
        return Deployment(
            id=str(uuid.uuid4()),
            job_id=version.job_id,
            job_version=version.version,
            status="running",
            description="Deployment is running",
            groups={group["Name"]: state},
            create_index=self.next_index(),
        )

    def _place(
        self,
        job: Job,
        version: JobVersion,
        deployment: Deployment | None,
        count: int,
        *,
        canary: bool,
    ) -> list[str]:
        node = self.nodes.free()
        if node is None or behaviour(version) == "unplaceable":
            return []
        group = version.groups[0]["Name"]
        made = [
            Allocation(
                id=str(uuid.uuid4()),
                name=f"{version.job_id}.{group}[{number}]",
                job_id=version.job_id,
                job_version=version.version,
                group=group,
                node=node,
                client_status="pending",
                client_description="",
                desired_status="run",
                deployment_id=deployment.id if deployment else None,
                healthy=None,
                canary=canary,
                create_index=self.next_index(),
                replaced_by=None,
                rescheduling=False,
                tasks={group: TaskState("pending", False, 0, ())},
            )
            for number in range(count)
        ]
        job.allocations.extend(made)
        return [one.id for one in made]

    def _stop(self, job: Job, wanted: Any) -> None:
        job.allocations = [
            replace(one, desired_status="stop", client_status="complete")
            if one.live and wanted(one)
            else one
            for one in job.allocations
        ]

    def tick(self) -> None:
        """Let a step of time pass for every job."""
        self.answer()
        self.next_index()
        self.nodes.migrate()
        for job in self.known.values():
            if job.current.type == "batch":
                self._run_batch(job)
            for position, deployment in enumerate(job.deployments):
                if deployment.active:
                    job.deployments[position] = self._step(job, deployment)

    def _run_batch(self, job: Job) -> None:
        says = behaviour(job.current)
        code = int(says.removeprefix("exit ")) if says.startswith("exit ") else 0
        status = "failed" if code else "complete"
        event = TaskEvent("Terminated", f"Exit Code: {code}", moment(0), {}, code)
        task = TaskState("dead", bool(code), 0, (event,))
        job.allocations = [
            replace(one, client_status=status, tasks={one.group: task}) if one.live else one
            for one in job.allocations
        ]
        spec = {**job.current.spec, "Status": "dead"}
        job.versions[-1] = JobVersion.parse(spec)

    def _step(self, job: Job, deployment: Deployment) -> Deployment:
        version = next(v for v in job.versions if v.version == deployment.job_version)
        name, state = next(iter(deployment.groups.items()))
        own = [one for one in job.allocations if one.deployment_id == deployment.id]
        canary = state.waits_for_promotion
        wanted = state.desired_canaries if canary else state.desired_total
        lacking = wanted - len([one for one in own if one.live])
        if lacking > 0:
            placed = self._place(job, version, deployment, lacking, canary=canary)
            canaries = (*state.canaries, *placed) if canary else state.canaries
            state = replace(state, placed=state.placed + len(placed), canaries=canaries)
            return replace(deployment, groups={name: state})
        if behaviour(version) == "unhealthy":
            return self._end_badly(
                job, replace(deployment, groups={name: replace(state, unhealthy=wanted)})
            )
        self._become_healthy(job, deployment.id)
        state = replace(state, healthy=wanted)
        if canary:
            text = "Deployment is running but requires manual promotion"
            return replace(deployment, description=text, groups={name: state})
        self._stop(job, lambda one: one.deployment_id != deployment.id)
        self._set(job, version.version, Stable=True)
        text = "Deployment completed successfully"
        return replace(deployment, status="successful", description=text, groups={name: state})

    def _become_healthy(self, job: Job, deployment_id: str) -> None:
        job.allocations = [
            replace(one, client_status="running", healthy=True)
            if one.deployment_id == deployment_id and one.live
            else one
            for one in job.allocations
        ]

    def _end_badly(self, job: Job, deployment: Deployment) -> Deployment:
        version = deployment.job_version
        job.allocations = [
            replace(one, healthy=False) if one.deployment_id == deployment.id else one
            for one in job.allocations
        ]
        stable = [one for one in job.versions if one.stable and one.version < version]
        revert = any(one.auto_revert for one in deployment.groups.values())
        text = "Failed due to unhealthy allocations"
        ended = replace(deployment, status="failed", description=text)
        if not (revert and stable):
            return ended
        self._stop(job, lambda one: one.deployment_id == deployment.id)
        # The failed one must not be cancelled by what replaces it.
        job.deployments = [ended if one.id == deployment.id else one for one in job.deployments]
        self.add_version({**stable[-1].spec, "Stop": False})
        return replace(
            ended, description=f"{text} - rolling back to job version {stable[-1].version}"
        )

    def _set(self, job: Job, number: int, **values: object) -> None:
        job.versions = [
            JobVersion.parse({**one.spec, **values}) if one.version == number else one
            for one in job.versions
        ]

    def change_version(self, job_id: str, number: int, **values: object) -> None:
        """Change what Nomad keeps beside a version's spec."""
        job = self.job(job_id)
        self._set(job, number, **values)
        forget(job)

    def promote(self, deployment_id: str) -> None:
        """Promote, if every canary is healthy."""
        job, position = self.find(deployment_id)
        deployment = job.deployments[position]
        if not deployment.active:
            raise ServerRefused("can't promote terminal deployment")
        name, state = next(iter(deployment.groups.items()))
        if state.healthy < state.desired_canaries:
            raise ServerRefused("Task group has too few healthy canaries")
        promoted = replace(state, promoted=True)
        job.deployments[position] = replace(deployment, groups={name: promoted})

    def fail(self, deployment_id: str) -> None:
        """Fail a deployment, and go back where its job says so."""
        job, position = self.find(deployment_id)
        if not job.deployments[position].active:
            raise ServerRefused("can't fail terminal deployment")
        ended = self._end_badly(job, job.deployments[position])
        job.deployments = [ended if one.id == deployment_id else one for one in job.deployments]

    def find(self, deployment_id: str) -> tuple[Job, int]:
        """Return a deployment's job, and its place among the job's deployments."""
        self.answer()
        for job in self.known.values():
            for position, one in enumerate(job.deployments):
                if one.id == deployment_id:
                    return job, position
        raise NotFound(f"Nomad at {self.address} answers 404: deployment not found")
