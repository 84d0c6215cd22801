"""How a task ended, and why nobody begins it again."""

from __future__ import annotations

import re
import signal

from flowrex.nomad import TaskEvent
from generator.diagnose.cause import Case, Cause, Rank

_KILL = int(signal.SIGKILL)
# What a shell, and Nomad after it, adds to the number of a signal.
_BY_SIGNAL = 128
_SHELL = {
    126: " (a shell's word for: the program may not be executed)",
    127: " (a shell's word for: there is no such program)",
}
_NOMADS_KILLS = {"Killing", "Restart Signaled", "Sibling Task Failed", "Leader Task Dead"}
_ATTEMPTS = re.compile(r"Exceeded allowed attempts (\d+) in interval (\S+)")
_SIBLING = re.compile(r'sibling "(?P<name>[^"]+)"')
_HEALTH = re.compile(
    r"not running(?: for min_healthy_time of (?P<least>\S+))? by healthy_deadline of (?P<most>\S+)"
)


def read(case: Case) -> Cause | None:
    """Return how a task ended; None where it did not, or where Nomad ended it."""
    events = case.task.events
    ends = [at for at, event in enumerate(events) if event.exit_code is not None]
    if not ends or not (case.task.failed or case.task.restarts):
        return None
    last = events[ends[-1]]
    before = {event.type for event in events[: ends[-1]][-6:]}
    by_nomad = bool(before & _NOMADS_KILLS)
    sentence, remedy = _how(last, case, by_nomad=by_nomad)
    rank = Rank.ECHO if by_nomad and not _oom(last) else Rank.END
    return Cause(rank, sentence + _again(case), remedy)


def _oom(event: TaskEvent) -> bool:
    return event.details.get("oom_killed") == "true"


def _how(event: TaskEvent, case: Case, *, by_nomad: bool) -> tuple[str, str]:
    status = event.exit_code or 0
    number = int(event.details.get("signal") or 0)
    if not number and status > _BY_SIGNAL and _name(status - _BY_SIGNAL):
        number = status - _BY_SIGNAL
    more = f"What it may use is a setting: flowrexctl env show {case.environment}"
    if _oom(event):
        return f"was killed because it used more memory than its limit{_limit(case, ' of')}", more
    if number == _KILL and not by_nomad:
        return (
            "was killed by signal 9 (SIGKILL), and not by Nomad: the kernel does so where a task "
            f"uses more memory than its limit{_limit(case, ', here')}",
            more,
        )
    if number:
        name = _name(number)
        return f"was killed by signal {number}" + (f" ({name})" if name else ""), ""
    if not status and case.task.state == "dead":
        return "ended by itself with status 0, and a service must not end", ""
    return f"exited with status {status}{_SHELL.get(status, '')}", ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _limit(case: Case, word: str) -> str:
    resources = case.spec.get("Resources") or {}
    most = resources.get("MemoryMaxMB") or resources.get("MemoryMB")
    return f"{word} {most} MiB" if most else ""


def _again(case: Case) -> str:
    restarts = case.task.restarts
    if not restarts:
        return ""
    text = f", and was restarted {restarts} time{'s' if restarts != 1 else ''}"
    for event in case.task.events:
        if event.type == "Not Restarting" and (found := _ATTEMPTS.search(event.message)):
            return f"{text}; more than {found[1]} in {found[2]} are not allowed"
    return text


def late(case: Case) -> Cause | None:
    """Return why a task that nothing is known against was not healthy; None where it was."""
    for event in case.task.events:
        if found := _HEALTH.search(event.message):
            if found["least"]:
                return Cause(
                    Rank.LATE,
                    f"ran, but was not healthy for {found['least']} (min_healthy_time) within "
                    f"{found['most']} (healthy_deadline)",
                )
            return Cause(
                Rank.LATE, f"had not begun after {found['most']} (healthy_deadline)", case.events
            )
    return None


def echo(event: TaskEvent) -> Cause | None:
    """Return what an event says that follows from something else."""
    if event.type == "Sibling Task Failed":
        found = _SIBLING.search(event.message)
        other = f"task {found['name']}" if found else "another task"
        return Cause(Rank.ECHO, f"was stopped because {other} of its group failed")
    if event.type == "Killing" and event.message:
        return Cause(Rank.ECHO, f"was stopped: {' '.join(event.message.split())}")
    return None
