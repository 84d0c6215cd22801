"""The jobs that there are, in the order in which they are deployed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from generator.environment.model import Environment

Kind = Literal["service", "batch", "system"]


def _always(_: Environment) -> bool:
    return True


@dataclass(frozen=True)
class JobTemplate:
    """A job and what kind it is to Nomad; its template is jobs/<name>.nomad.hcl.j2.

    Attributes:
        name: the job's ID.
        kind: how Nomad schedules it.
        on: tells whether an environment has it.
        switch: the setting that switches it on; empty where it is always on.
        after: the jobs that must be in service before it is begun.
        after_canary: likewise, but only where these bring a new version, whose canary may be given
            up; it would be alone with the new version then.
    """

    name: str
    kind: Kind
    on: Callable[[Environment], bool] = _always
    switch: str = ""
    after: tuple[str, ...] = ()
    after_canary: tuple[str, ...] = ()


def _optional(name: str, kind: Kind, after: tuple[str, ...] = ()) -> JobTemplate:
    """Return a job that an environment may switch off: its section is named like it."""
    section = name.replace("-", "_")
    return JobTemplate(
        name,
        kind,
        lambda environment: bool(getattr(environment, section).enabled),
        f"{section}.enabled",
        after,
    )


# The schema first, since new code may need it; the entry behind what it leads to. What watches the
# platform is no part of a release; it waits for nothing that it can do without. Nor is the agent,
# which comes last so that it can't hold one up.
JOBS = (
    JobTemplate("migrate", "batch"),
    JobTemplate("backend", "service", after=("migrate",)),
    JobTemplate("worker", "service", after=("migrate",), after_canary=("backend",)),
    _optional("frontend", "service", after=("migrate", "backend")),
    JobTemplate("nginx", "service", after=("migrate", "backend", "frontend")),
    _optional("retention", "batch", after=("migrate",)),
    _optional("node-exporter", "system"),
    _optional("postgres-exporter", "service"),
    _optional("redis-exporter", "service"),
    _optional("nginx-exporter", "service", after=("nginx",)),
    _optional("alertmanager", "service"),
    _optional("prometheus", "service"),
    _optional("agent", "system", after=("worker", "nginx")),
)


def needs(updated: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """Return job to the jobs that must be in service before it is begun.

    Args:
        updated: the jobs that get another version than the one that runs.
    """
    return {
        job.name: (*job.after, *(one for one in job.after_canary if one in updated)) for job in JOBS
    }
