"""Nomad's answers, reduced to what decisions are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NEVER = "0001-01-01T00:00:00Z"


def moment(nanoseconds: int) -> datetime:
    """Return Nomad's nanoseconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)


@dataclass(frozen=True)
class JobVersion:
    """One version of a job, the current one or an earlier one."""

    job_id: str
    version: int
    stable: bool
    type: str
    status: str
    stop: bool
    job_modify_index: int
    submitted: datetime
    tag: str | None
    spec: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> JobVersion:
        """Read Nomad's JSON."""
        return cls(
            job_id=raw["ID"],
            version=raw["Version"],
            stable=bool(raw["Stable"]),
            type=raw["Type"],
            status=raw["Status"],
            stop=bool(raw["Stop"]),
            job_modify_index=raw["JobModifyIndex"],
            submitted=moment(raw.get("SubmitTime") or 0),
            tag=(raw.get("VersionTag") or {}).get("Name"),
            spec=raw,
        )

    @property
    def groups(self) -> tuple[Mapping[str, Any], ...]:
        """The task groups as Nomad stores them."""
        return tuple(self.spec.get("TaskGroups") or ())

    @property
    def periodic(self) -> bool:
        """Whether Nomad starts it on schedule, as a job of its own each time."""
        return self.spec.get("Periodic") is not None

    @property
    def runs_once(self) -> bool:
        """Whether submitting it starts it, and it then comes to an end."""
        return self.type == "batch" and not self.periodic

    @property
    def proven(self) -> bool:
        """Whether it was in service: of what is on schedule, Nomad never says that it is stable."""
        return self.stable or self.periodic

    @property
    def count(self) -> int:
        """How many allocations all groups together want."""
        return sum(group["Count"] for group in self.groups)


@dataclass(frozen=True)
class GroupState:
    """How far one task group of a deployment is."""

    desired_total: int
    desired_canaries: int
    placed: int
    healthy: int
    unhealthy: int
    canaries: tuple[str, ...]
    promoted: bool
    auto_revert: bool
    progress_by: str | None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> GroupState:
        """Read Nomad's JSON."""
        progress_by = raw.get("RequireProgressBy")
        return cls(
            desired_total=raw["DesiredTotal"],
            desired_canaries=raw["DesiredCanaries"],
            placed=raw["PlacedAllocs"],
            healthy=raw["HealthyAllocs"],
            unhealthy=raw["UnhealthyAllocs"],
            canaries=tuple(raw.get("PlacedCanaries") or ()),
            promoted=bool(raw["Promoted"]),
            auto_revert=bool(raw["AutoRevert"]),
            progress_by=None if progress_by == NEVER else progress_by,
        )

    @property
    def waits_for_promotion(self) -> bool:
        """Whether this group has canaries that nobody has promoted."""
        return self.desired_canaries > 0 and not self.promoted


@dataclass(frozen=True)
class Deployment:
    """Nomad's own account of one version's way into service."""

    id: str
    job_id: str
    job_version: int
    status: str
    description: str
    groups: Mapping[str, GroupState]
    create_index: int = 0

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Deployment:
        """Read Nomad's JSON."""
        groups = raw.get("TaskGroups") or {}
        return cls(
            id=raw["ID"],
            job_id=raw["JobID"],
            job_version=raw["JobVersion"],
            status=raw["Status"],
            description=raw.get("StatusDescription") or "",
            # A system job's group that no node is fit for is null.
            groups={name: GroupState.parse(state) for name, state in groups.items() if state},
            create_index=raw.get("CreateIndex", 0),
        )

    @property
    def active(self) -> bool:
        """Whether it can still go either way."""
        return self.status not in {"successful", "failed", "cancelled"}

    @property
    def waits_for_promotion(self) -> bool:
        """Whether it goes on only after somebody promotes it."""
        return self.active and any(g.waits_for_promotion for g in self.groups.values())


@dataclass(frozen=True)
class Evaluation:
    """One run of Nomad's scheduler."""

    id: str
    status: str
    description: str
    deployment_id: str | None
    blocked_id: str | None
    failed_placements: Mapping[str, Mapping[str, Any]]
    triggered_by: str

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Evaluation:
        """Read Nomad's JSON."""
        return cls(
            id=raw["ID"],
            status=raw["Status"],
            description=raw.get("StatusDescription") or "",
            deployment_id=raw.get("DeploymentID") or None,
            blocked_id=raw.get("BlockedEval") or None,
            failed_placements=raw.get("FailedTGAllocs") or {},
            triggered_by=raw.get("TriggeredBy") or "",
        )

    @property
    def ended(self) -> bool:
        """Whether the scheduler is done with it."""
        return self.status in {"complete", "failed", "canceled"}


@dataclass(frozen=True)
class TaskEvent:
    """One thing that happened to a task."""

    type: str
    message: str
    time: datetime
    details: Mapping[str, str] = field(default_factory=dict)
    exit_code: int | None = None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> TaskEvent:
        """Read Nomad's JSON."""
        details = raw.get("Details") or {}
        return cls(
            type=raw["Type"],
            message=raw.get("DisplayMessage") or raw.get("Message") or "",
            time=moment(raw.get("Time") or 0),
            details=details,
            exit_code=raw.get("ExitCode") if raw["Type"] == "Terminated" else None,
        )


@dataclass(frozen=True)
class TaskState:
    """What one task of an allocation is doing, and what happened to it."""

    state: str
    failed: bool
    restarts: int
    events: tuple[TaskEvent, ...]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> TaskState:
        """Read Nomad's JSON."""
        return cls(
            state=raw["State"],
            failed=bool(raw["Failed"]),
            restarts=raw.get("Restarts") or 0,
            events=tuple(TaskEvent.parse(event) for event in raw.get("Events") or ()),
        )


@dataclass(frozen=True)
class Node:
    """One client node.

    Attributes:
        id: its id.
        name: its name.
        status: `initializing`, `ready`, `down` or `disconnected`.
        eligible: whether allocations may come.
        draining: whether its allocations are moved elsewhere.
        pool: its node pool.
        datacenter: its datacenter.
    """

    id: str
    name: str
    status: str
    eligible: bool
    draining: bool
    pool: str
    datacenter: str

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Node:
        """Read Nomad's JSON, of a list or of a single node."""
        return cls(
            id=raw["ID"],
            name=raw["Name"],
            status=raw["Status"],
            eligible=raw["SchedulingEligibility"] == "eligible",
            draining=bool(raw.get("Drain")),
            pool=raw.get("NodePool") or "default",
            datacenter=raw.get("Datacenter") or "",
        )


@dataclass(frozen=True)
class Allocation:
    """One group of tasks on one node."""

    id: str
    name: str
    job_id: str
    job_version: int
    group: str
    node: str
    client_status: str
    client_description: str
    desired_status: str
    deployment_id: str | None
    healthy: bool | None
    canary: bool
    create_index: int
    replaced_by: str | None
    rescheduling: bool
    tasks: Mapping[str, TaskState]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Allocation:
        """Read Nomad's JSON, of a list or of a single allocation."""
        health = raw.get("DeploymentStatus") or {}
        version = raw.get("JobVersion")
        if version is None:
            version = (raw.get("Job") or {}).get("Version", 0)
        return cls(
            id=raw["ID"],
            name=raw["Name"],
            job_id=raw["JobID"],
            job_version=version,
            group=raw["TaskGroup"],
            node=raw.get("NodeName") or "",
            client_status=raw["ClientStatus"],
            client_description=raw.get("ClientDescription") or "",
            desired_status=raw["DesiredStatus"],
            deployment_id=raw.get("DeploymentID") or None,
            healthy=health.get("Healthy"),
            canary=bool(health.get("Canary")),
            create_index=raw.get("CreateIndex") or 0,
            replaced_by=raw.get("NextAllocation") or None,
            rescheduling=bool(raw.get("FollowupEvalID")),
            tasks={k: TaskState.parse(v) for k, v in (raw.get("TaskStates") or {}).items()},
        )

    @property
    def short_id(self) -> str:
        """The eight characters that Nomad's own tools print."""
        return self.id[:8]

    @property
    def live(self) -> bool:
        """Whether it runs, or is about to, and is wanted."""
        return self.desired_status == "run" and self.client_status in {"pending", "running"}


@dataclass(frozen=True)
class Check:
    """A check that a job's spec declares."""

    service: str
    name: str


def consul_checks(job: JobVersion) -> tuple[Check, ...]:
    """Return the checks that Consul is to run for `job`, from its groups' and tasks' services."""
    found: list[Check] = []
    for group in job.groups:
        services = list(group.get("Services") or ())
        for task in group.get("Tasks") or ():
            services.extend(task.get("Services") or ())
        for service in services:
            if service.get("Provider", "consul") == "consul":
                found.extend(
                    Check(service["Name"], check.get("Name") or "")
                    for check in service.get("Checks") or ()
                )
    return tuple(found)
