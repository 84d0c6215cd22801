"""What the agent says of itself: one document, and from it one verdict for Consul's check."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.supervised import State
from flowrex import __version__

PASSING, WARNING, CRITICAL = "passing", "warning", "critical"

_LONGEST_OUTPUT = 600


@dataclass
class Configuration:
    """Which configuration is in use.

    Attributes:
        path: its file.
        loaded_at: when it was taken.
        attempts: how often it was read, refused ones included.
        problem: why the last one was refused; empty where it was taken.
    """

    path: str
    loaded_at: datetime
    attempts: int = 1
    problem: str = ""

    def document(self) -> dict[str, Any]:
        """Return it for the status document."""
        return {
            "path": self.path,
            "loaded_at": self.loaded_at.isoformat(timespec="seconds"),
            "attempts": self.attempts,
            "problem": self.problem,
        }


@dataclass
class Process:
    """What the process is and does.

    Attributes:
        node: its node.
        environment: the environment that the node is of.
        started_at: when it was started.
        configuration: which one is in use.
        state: `running`, `stopping` or `stopped`.
        pid: its number.
    """

    node: str
    environment: str
    started_at: datetime
    configuration: Configuration
    state: str = "running"
    pid: int = field(default_factory=os.getpid)


def document(
    process: Process, tasks: Mapping[str, Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """Return the whole status document.

    Args:
        process: the process.
        tasks: each task's document by its name.
        now: the time.
    """
    found = problems(process, tasks)
    status, output = verdict(process, tasks, found)
    return {
        "node": process.node,
        "environment": process.environment,
        "version": __version__,
        "pid": process.pid,
        "state": process.state,
        "started_at": process.started_at.isoformat(timespec="seconds"),
        "at": now.isoformat(timespec="seconds"),
        "check": {"status": status, "output": output},
        "problems": found,
        "configuration": process.configuration.document(),
        "tasks": {name: dict(task) for name, task in tasks.items()},
    }


def problems(process: Process, tasks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each thing that is not as it should be.

    A task tells its own in `problem`; what the supervisor knows of it comes first.
    """
    found = []
    if process.configuration.problem:
        found.append(f"the new configuration was refused: {process.configuration.problem}")
    for name, task in tasks.items():
        if task["state"] == State.STUCK:
            found.append(f"{name}: stuck, silent for {task['silent_s']:.0f} s")
        elif task["state"] in (State.WAITING, State.ENDED):
            found.append(f"{name}: {task['error']}")
        if task.get("problem"):
            found.append(f"{name}: {task['problem']}")
    return found


def verdict(
    process: Process, tasks: Mapping[str, Mapping[str, Any]], found: list[str]
) -> tuple[str, str]:
    """Return the check's status and a sentence for it.

    Critical is what needs a hand or a restart; a warning is what the agent gets over by itself.
    """
    if process.state != "running":
        return CRITICAL, f"the agent is {process.state}"
    broken = any(task["state"] in (State.STUCK, State.ENDED) for task in tasks.values())
    if not found:
        return PASSING, f"{len(tasks)} tasks run"
    said = "; ".join(found)
    if len(said) > _LONGEST_OUTPUT:
        said = said[:_LONGEST_OUTPUT] + "…"
    return (CRITICAL if broken else WARNING), said
