"""Which tasks the agent has, and on which settings each depends.

A capability's code is imported only where it is switched on: what is off costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.context import Context
from agents.settings.model import Agent
from agents.task import Task

if TYPE_CHECKING:
    from agents.requests.handler import Handling


@dataclass(frozen=True)
class Part:
    """One capability of the agent.

    Attributes:
        name: for the log of a reload.
        sections: the sections of the settings that its tasks are made from. A reload that changes
            one of them ends these tasks and makes them anew; no other reload touches them.
        make: makes its tasks; called only where it is switched on.
        on: tells whether it is.
    """

    name: str
    sections: tuple[str, ...]
    make: Callable[[Context], list[Task]]
    on: Callable[[Agent], bool]

    def unchanged(self, old: Agent, new: Agent) -> bool:
        """Tell whether a reload leaves this part's tasks alone."""
        return all(getattr(old, name) == getattr(new, name) for name in self.sections)


def _emergency(context: Context) -> list[Task]:
    from agents.emergency.backup import through
    from agents.emergency.task import Emergency

    handling = handlers(context.settings).get("backup")
    return [Emergency(context, through(handling, context) if handling else None)]


def _notify(context: Context) -> list[Task]:
    from agents.notify.alarms import Alarming
    from agents.notify.task import Notify

    return [Notify(context), Alarming(context)]


def _requests(context: Context) -> list[Task]:
    from agents.requests.task import Requests

    return [Requests(context, handlers(context.settings))]


def _physical(context: Context) -> list[Task]:
    from agents.physical.make import tasks

    return tasks(context)


def _snapshots(context: Context) -> list[Task]:
    from agents.snapshots.task import SnapshotTask

    return [SnapshotTask(context)]


def handlers(settings: Agent) -> dict[str, Handling]:
    """Return how each kind of an operator's request is done on this node.

    What is switched off is not in it, and its requests are refused. A capability that adds its
    handlers here adds its sections to the part `requests` below.
    """
    found: dict[str, Handling] = {}
    if settings.backup.enabled:
        from agents.backup.handlers import handlings

        found.update(handlings())
    if settings.physical.enabled:
        from agents.physical import handlers as physical

        found.update(physical.handlings())
        if settings.backup.enabled:
            found.update(physical.restoring())
    if settings.snapshots.enabled:
        from agents.snapshots import handlers as snapshots

        found.update(snapshots.handlings())
    return found


def _backup(context: Context) -> list[Task]:
    from agents.backup.task import BackupTask

    return [BackupTask(context)]


def _audit(context: Context) -> list[Task]:
    from agents.audit.parts import tasks

    return tasks(context)


# In the order of the starts; the stops are in reverse.
PARTS: tuple[Part, ...] = (
    # The others' sections, since what is switched off raises no alarm any more.
    Part("notify", ("notify", "backup", "physical", "snapshots"), _notify, on=lambda _: True),
    Part(
        "emergency",
        ("emergency", "notify", "consul", "backup", "s3"),
        _emergency,
        on=lambda settings: settings.emergency.enabled,
    ),
    Part(
        "audit",
        ("audit", "s3", "consul", "environment"),
        _audit,
        on=lambda settings: settings.audit.enabled,
    ),
    Part("backup", ("backup", "s3", "environment"), _backup, on=lambda s: s.backup.enabled),
    Part(
        "requests",
        ("requests", "consul", "backup", "physical", "snapshots", "s3", "environment"),
        _requests,
        on=lambda _: True,
    ),
    Part(
        "physical",
        ("physical", "s3", "vault"),
        _physical,
        on=lambda settings: settings.physical.enabled,
    ),
    Part(
        "snapshots",
        ("snapshots", "backup", "s3", "vault", "consul", "environment"),
        _snapshots,
        on=lambda settings: settings.snapshots.enabled,
    ),
)


def enabled(settings: Agent) -> list[str]:
    """Return the names of the parts that are switched on."""
    return [part.name for part in PARTS if part.on(settings)]


def tasks(context: Context) -> list[Task]:
    """Return every task, in the order of the starts."""
    return [task for _, task in by_part(context)]


def by_part(context: Context) -> Iterator[tuple[Part, Task]]:
    """Yield every task with the part that it belongs to."""
    for part in PARTS:
        if part.on(context.settings):
            for task in part.make(context):
                yield part, task
