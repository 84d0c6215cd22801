"""From what was seen to what is told: the nearest reason first, each once, then what to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flowrex.errors import DeploymentFailed
from flowrex.nomad import Allocation
from generator.diagnose import artifact, ending, health, starting, template
from generator.diagnose.cause import Case, Cause, Rank, events_of, group_of, task_of
from generator.facts import Facts

# More is no help to a reader: what is wrong with ten allocations is seldom more than this.
_ALLOCATIONS = 10
_CAUSES = 6
_NAMED = 3


@dataclass(frozen=True)
class Diagnosis:
    """What happened, the evidence, and the next command."""

    summary: str
    evidence: tuple[str, ...]
    hint: str

    def error(self) -> DeploymentFailed:
        """Return it as the error that the verb ends with."""
        lines = [self.summary, *(f"  {line}" for line in self.evidence)]
        return DeploymentFailed("\n".join(lines), hint=self.hint)


@dataclass(frozen=True)
class _Found:
    """A reason and the allocations that it holds for, the newest first."""

    cause: Cause
    allocations: tuple[Allocation, ...]


def explain(facts: Facts, environment: str, *, cause: str | None = None) -> Diagnosis:
    """Explain a failed deployment.

    Args:
        facts: what was seen.
        environment: the environment's name, for the commands.
        cause: why the run gave up, where Nomad did not end the deployment itself.
    """
    superseded = facts.deployment is not None and facts.deployment.status == "cancelled"
    found = [] if superseded else _found(facts, environment)
    evidence = [f"can't be placed: {sentence}" for sentence in facts.placement]
    evidence += [_line(one) for one in found[:_CAUSES]]
    if len(found) > _CAUSES:
        evidence.append(f"and {len(found) - _CAUSES} more reasons")
    if facts.deployment is not None and facts.deployment.waits_for_promotion:
        evidence += [f"can't be promoted: {sentence}" for sentence in facts.unready]
    evidence += _logs(facts, found)
    if facts.reverted_to is not None:
        evidence.append(f"Nomad went back to version {facts.reverted_to}, which was healthy.")
    return Diagnosis(
        summary=_summary(facts, cause),
        evidence=tuple(evidence),
        hint=_hint(facts, environment, found),
    )


def _summary(facts: Facts, cause: str | None) -> str:
    what = f"{facts.job} version {facts.version}"
    if cause is not None:
        return f"{what} {cause}"
    deployment = facts.deployment
    if deployment is None:
        return f"{what} failed"
    if deployment.status == "cancelled":
        return f"{what} was superseded: {deployment.description}"
    return f"{what} was not deployed: {deployment.description}"


def _found(facts: Facts, environment: str) -> list[_Found]:
    """Return the reasons, the nearest to the mistake first, each with the allocations it is for."""
    by_cause: dict[tuple[str, Cause], list[Allocation]] = {}
    for allocation in facts.culprits[:_ALLOCATIONS]:
        for cause in _causes(allocation, facts, environment):
            by_cause.setdefault((allocation.group, cause), []).append(allocation)
    found = [_Found(cause, tuple(them)) for (_, cause), them in by_cause.items()]
    ranks = {one.cause.rank for one in found}
    if facts.placement or ranks & {Rank.BEGIN, Rank.END, Rank.CHECK}:
        most = Rank.CHECK
    else:
        most = Rank.LATE if Rank.LATE in ranks else Rank.ECHO
    return sorted((one for one in found if one.cause.rank <= most), key=lambda one: one.cause.rank)


def _causes(allocation: Allocation, facts: Facts, environment: str) -> Iterator[Cause]:
    if waited := _waits_for(allocation, facts):
        yield Cause(Rank.LATE, "must end before the others begin, and still runs", task=waited)
        return
    found: set[Rank] = set()
    for name, task in sorted(allocation.tasks.items()):
        spec = task_of(facts.spec, allocation.group, name)
        case = Case(environment, facts.job, allocation, name, task, spec, facts.sources)
        told: set[Cause] = set()
        for cause in _of_task(case):
            if cause not in told:
                told.add(cause)
                found.add(cause.rank)
                yield replace(cause, task=name)
    missing = () if Rank.BEGIN in found else health.unregistered(allocation, facts)
    for cause in (*health.read(allocation, facts), *missing):
        found.add(cause.rank)
        yield cause
    if not found:
        state = allocation.client_description or allocation.client_status
        health_ = "" if allocation.healthy else "; it did not become healthy in time"
        begun = any(task.state != "pending" for task in allocation.tasks.values())
        wrote = any(owner == allocation.id for owner, _ in facts.logs)
        remedy = "" if begun or wrote else events_of(allocation)
        yield Cause(Rank.ECHO, f"{state}{health_}", remedy)


def _of_task(case: Case) -> Iterator[Cause]:
    started = [at for at, event in enumerate(case.task.events) if event.type == "Started"]
    # What a template waits for is of interest only until something else goes wrong.
    waits: Cause | None = None
    # What kept it from beginning is over where it began later.
    for event in case.task.events[started[-1] if started else 0 :]:
        cause = artifact.read(event, case) or template.read(event, case)
        if cause := cause or starting.read(event, case) or ending.echo(event):
            if event.type == "Template":
                waits = cause
                continue
            waits = None if cause.rank is Rank.BEGIN else waits
            yield cause
    if waits is not None:
        yield waits
    if cause := ending.read(case):
        yield cause
    if cause := ending.late(case):
        yield cause


def _waits_for(allocation: Allocation, facts: Facts) -> str:
    """Return the task that keeps the others from beginning; empty where none does."""
    group = group_of(facts.spec, allocation.group)
    first = [
        task["Name"]
        for task in group.get("Tasks") or ()
        if (task.get("Lifecycle") or {}).get("Hook") == "prestart"
        and not (task.get("Lifecycle") or {}).get("Sidecar")
    ]
    running = [
        name
        for name in first
        if name in allocation.tasks and allocation.tasks[name].state == "running"
    ]
    return running[0] if running else ""


def _line(found: _Found) -> str:
    first = found.allocations[0]
    who = f"group {first.group}" + (f", task {found.cause.task}" if found.cause.task else "")
    places = [_place(one) for one in found.allocations[:_NAMED]]
    if (rest := len(found.allocations) - _NAMED) > 0:
        places.append(f"{rest} more")
    return f"{who}, {' and '.join(places)}: {found.cause.sentence}"


def _place(allocation: Allocation) -> str:
    where = f" on {allocation.node}" if allocation.node else ""
    return f"allocation {allocation.short_id}{where}"


def _logs(facts: Facts, found: list[_Found]) -> Iterator[str]:
    """Yield the last lines of the tasks that are told of; of all where the group's check fails."""
    told = {(allocation.id, one.cause.task) for one in found for allocation in one.allocations}
    for (owner, task), lines in sorted(facts.logs.items()):
        if (owner, task) in told or (owner, None) in told:
            stream = facts.streams.get(owner, "stderr")
            yield f"the last lines of task {task} ({stream}):"
            yield from (f"  | {line}" for line in lines)


def _hint(facts: Facts, environment: str, found: list[_Found]) -> str:
    again = f"Correct it, then again: flowrexctl run {environment}"
    if facts.deployment is not None and facts.deployment.status == "cancelled":
        return f"Somebody else changed the job. Look: flowrexctl status {environment}"
    if facts.placement:
        return (
            "What the nodes have: nomad node status -verbose\n"
            "Free or add what is missing, or ask for less, then look whether it fits: "
            f"flowrexctl plan {environment}"
        )
    if not found:
        return f"Look closer: flowrexctl status {environment}"
    first = found[0]
    if first.cause.remedy:
        return f"{first.cause.remedy}\n{again}"
    stream = facts.streams.get(first.allocations[0].id, "stderr")
    flag = " --stderr" if stream == "stderr" else ""
    alloc = first.allocations[0].short_id
    return (
        f"Its whole log: flowrexctl logs {environment} {facts.job} --alloc {alloc}{flag}\n{again}"
    )
