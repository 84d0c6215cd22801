"""The jobs that there are, in the order in which they are deployed."""

from __future__ import annotations

from collections.abc import Callable
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
    """

    name: str
    kind: Kind
    on: Callable[[Environment], bool] = _always
    switch: str = ""


# The schema first, since new code may need it; the entry behind what it leads to. The agent is no
# part of a release, and comes last so that it can't hold one up.
JOBS = (
    JobTemplate("migrate", "batch"),
    JobTemplate("backend", "service"),
    JobTemplate("worker", "service"),
    JobTemplate("nginx", "service"),
    JobTemplate("agent", "system", lambda environment: environment.agent.enabled, "agent.enabled"),
)
