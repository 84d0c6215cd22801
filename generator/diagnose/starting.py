"""What keeps a task from beginning, as its driver and its node say it."""

from __future__ import annotations

import re

from flowrex.nomad import TaskEvent
from generator import mask
from generator.diagnose.cause import Case, Cause, Rank, flat

_OTHERS = {
    "Failed Validation": "Nomad's client does not accept it",
    "Setup Failure": "the node could not prepare it",
    "Task hook failed": "the node could not prepare it",
    "Failed Restoring Task": "the node could not find it again after a restart",
    "Disk Resources Exceeded": "it used more disk than its group has",
}
_SERVICES = "task_services: "
_PROGRAM = re.compile(
    r'(?:binary "(?P<binary>[^"]+)" could not be found|file (?P<file>\S+) not found under path)'
)
_USER = re.compile(r"unknown user:? \"?(?P<user>[^\s\"]+)")
_PLACE = re.compile(
    r"(?:fork/exec )?(?P<program>/\S+): (?P<why>exec format error|permission denied)"
)
_WHY = {
    "exec format error": "is none for this machine (exec format error); a script begins with #!",
    "permission denied": "may not be executed (permission denied)",
}
_ALLOCATION = re.compile(r"/\S*/[0-9a-f-]{36}/(?P<task>[^/]+)/")


def read(event: TaskEvent, case: Case) -> Cause | None:
    """Return the reason that an event gives; None for an event of another subject."""
    message = mask.shapes(flat(event.message))
    if event.type in _OTHERS:
        # A node writes the reason behind the name of the step, which the sentence replaces.
        said = message.removeprefix("failed to setup alloc: ")
        if said.startswith(_SERVICES):
            said = said.removeprefix(_SERVICES)
            return Cause(Rank.BEGIN, f"its service is not registered: {said}", case.rendered)
        return Cause(Rank.BEGIN, f"{_OTHERS[event.type]}: {said}", case.rendered)
    if event.type != "Driver Failure":
        return None
    node = case.allocation.node or "its node"
    if program := _PROGRAM.search(message):
        name = program["binary"] or program["file"]
        return Cause(Rank.BEGIN, f"its program {name} is not there", case.rendered)
    if user := _USER.search(message):
        return Cause(
            Rank.BEGIN,
            f"the user {user['user']}, as whom it is to run, is not known there",
            f"On {node}: getent passwd {user['user']}",
        )
    if place := _PLACE.search(message):
        name = _ALLOCATION.sub("", place["program"])
        return Cause(Rank.BEGIN, f"its program {name} {_WHY[place['why']]}", case.rendered)
    driver = case.spec.get("Driver") or ""
    return Cause(
        Rank.BEGIN,
        f"the driver {driver} could not start it: {message}".replace("  ", " "),
        case.events,
    )
