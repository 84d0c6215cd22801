"""One reason for a failure, and what its readers are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from flowrex.nomad import Allocation, TaskState


class Rank(IntEnum):
    """How near a reason is to the mistake; the nearest is told first, the far ones not at all."""

    BEGIN = 0  # the task could not begin
    END = 1  # it began and ended
    CHECK = 2  # it runs, and a check says that it does not work
    LATE = 3  # nothing is wrong but the time
    ECHO = 4  # what follows from another reason


@dataclass(frozen=True)
class Cause:
    """A reason for a failure.

    Attributes:
        rank: how near to the mistake it is.
        sentence: what happened, to be read after the name of the task.
        remedy: what to look at or to type next; empty where that is the log.
        task: whose it is; None: the whole group's.
    """

    rank: Rank
    sentence: str
    remedy: str = field(default="", compare=False)
    task: str | None = None


@dataclass(frozen=True)
class Case:
    """A task and what is known around it.

    Attributes:
        environment: the environment's name, for the commands.
        job: the job's name.
        allocation: the allocation.
        name: the task's name.
        task: what happened to it.
        spec: the task as Nomad stores it; empty where it is not known.
        sources: what a template waits for, to whether it is there; see `generator.sources`.
    """

    environment: str
    job: str
    allocation: Allocation
    name: str
    task: TaskState
    spec: Mapping[str, Any]
    sources: Mapping[str, bool | None]

    @property
    def bootstrap(self) -> str:
        """What to type where a login or a right is missing."""
        return (
            f"What of Vault, Consul and Nomad is not as it should be: "
            f"flowrexctl bootstrap {self.environment} --check"
        )

    @property
    def events(self) -> str:
        """Where to read all that happened to it."""
        return events_of(self.allocation)

    @property
    def rendered(self) -> str:
        """Where to read what was submitted."""
        return f"Its job spec: nomad job inspect {self.job}"


def events_of(allocation: Allocation) -> str:
    """Return what to type for all that happened to an allocation."""
    return f"Every event of it: nomad alloc status {allocation.short_id}"


def group_of(spec: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    """Return a group of a job as Nomad stores it; empty where it is not known."""
    groups: list[Mapping[str, Any]] = spec.get("TaskGroups") or []
    return next((one for one in groups if one["Name"] == group), {})


def task_of(spec: Mapping[str, Any], group: str, task: str) -> Mapping[str, Any]:
    """Return a task of a job as Nomad stores it; empty where it is not known."""
    tasks: list[Mapping[str, Any]] = group_of(spec, group).get("Tasks") or []
    return next((one for one in tasks if one["Name"] == task), {})


def flat(text: str) -> str:
    """Return a message of several lines as one, without the words that each Go library adds."""
    words = " ".join(text.split())
    for noise in (
        "rpc error: code = Unknown desc = ",
        "failed to launch command with executor: ",
        "getter subprocess failed: exit status 1: ",
        "1 error occurred: * ",
    ):
        words = words.replace(noise, "")
    return words
