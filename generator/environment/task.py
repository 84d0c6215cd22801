"""What every job is told in the same way: what it may use, and when it counts as healthy."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, setting


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one instance is given."""

    cpu: int = setting("CPU share reserved, in MHz.", minimum=1)
    memory: int = setting("Memory reserved, in MiB.", minimum=10)
    memory_max: int = setting("Memory at which it is killed, in MiB.", minimum=10)


@dataclass(frozen=True, kw_only=True)
class Health:
    """When an instance counts as healthy."""

    interval: Duration = setting("Time between two health checks.", check=some_time)
    timeout: Duration = setting("Time after which an unanswered check has failed.", check=some_time)
    failures: int = setting("Failed liveness checks in a row before a restart.", minimum=1)
    grace: Duration = setting("Time after a start in which failed checks do not restart it.")
    min_healthy_time: Duration = setting("Time that it must stay healthy to count.")
    healthy_deadline: Duration = setting(
        "Time in which it must have become healthy.", check=some_time
    )
    progress_deadline: Duration = setting("Time in which one instance more must become healthy.")
