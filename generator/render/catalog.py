"""The jobs that there are, in the order in which they are deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["service", "batch", "system"]


@dataclass(frozen=True)
class JobTemplate:
    """A job and what kind it is to Nomad; its template is jobs/<name>.nomad.hcl.j2."""

    name: str
    kind: Kind


# The schema first, since new code may need it; the entry last, since it needs something behind it.
JOBS = (
    JobTemplate("migrate", "batch"),
    JobTemplate("backend", "service"),
    JobTemplate("worker", "service"),
    JobTemplate("nginx", "service"),
)
