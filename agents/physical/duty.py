"""What is done with physical backups by the clock."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.alarms import Alarm
from agents.backup.schedule import Schedule


@dataclass
class Duty:
    """Something that is done on a schedule.

    Attributes:
        name: what it is; its alarm is `<name> failed`.
        schedule: when.
        last: returns when it was last begun.
        work: does it.
        alone: whether only one node may do it at a time.
        failures: how often it failed in a row.
        not_before: monotonic seconds before which it is not tried again.
    """

    name: str
    schedule: Schedule
    last: Callable[[], datetime | None]
    work: Callable[[], Coroutine[Any, Any, None]]
    alone: bool = True
    failures: int = 0
    not_before: float = 0.0
    problem: list[Alarm] = field(default_factory=list)
