"""Why a deployment failed, in sentences, and what to type next. Pure: facts in, text out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowrex.errors import DeploymentFailed
from flowrex.nomad import Allocation, TaskEvent, TaskState
from generator import mask
from generator.facts import Facts

# Events that say why; the others (Received, Started, …) are the normal way.
_TELLING = {
    "Driver Failure",
    "Failed Artifact Download",
    "Failed Validation",
    "Hook Failed",
    "Setup Failure",
    "Template",
    "Vault Renewal Failed",
    "Failed Restarting",
    "Not Restarting",
    "Sibling Task Failed",
    "Disk Resources Exceeded",
    "Killing",
    "Restart Signaled",
    "Task hook failed",
    "Consul Token Failure",
}
_ALLOCATIONS = 2


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


def explain(facts: Facts, environment: str, *, cause: str | None = None) -> Diagnosis:
    """Explain a failed deployment.

    Args:
        facts: what was seen.
        environment: the environment's name, for the commands.
        cause: why the run gave up, where Nomad did not end the deployment itself.
    """
    superseded = facts.deployment is not None and facts.deployment.status == "cancelled"
    culprits = [] if superseded else facts.culprits[:_ALLOCATIONS]
    evidence = [f"can't be placed: {sentence}" for sentence in facts.placement]
    for allocation in culprits:
        evidence.extend(_allocation(allocation, facts))
    if facts.reverted_to is not None:
        evidence.append(f"Nomad went back to version {facts.reverted_to}, which was healthy.")
    return Diagnosis(
        summary=_summary(facts, cause),
        evidence=tuple(evidence),
        hint=_hint(facts, environment, culprits),
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


def _hint(facts: Facts, environment: str, culprits: list[Allocation]) -> str:
    if facts.deployment is not None and facts.deployment.status == "cancelled":
        return f"Somebody else changed the job. Look: flowrexctl status {environment}"
    if culprits:
        first = culprits[0]
        stream = " --stderr" if facts.streams.get(first.id, "stderr") == "stderr" else ""
        return (
            f"Its whole log: flowrexctl logs {environment} {facts.job} "
            f"--alloc {first.short_id}{stream}\n"
            f"Correct it, then again: flowrexctl run {environment}"
        )
    if facts.placement:
        return (
            "Free or add what is missing, or ask for less, then again: "
            f"flowrexctl run {environment}"
        )
    return f"Look closer: flowrexctl status {environment}"


def _allocation(allocation: Allocation, facts: Facts) -> Iterator[str]:
    who = f"allocation {allocation.short_id}" + (
        f" on {allocation.node}" if allocation.node else ""
    )
    found = False
    for (owner, _), check in sorted(facts.checks.items()):
        if owner == allocation.id:
            found = True
            says = f": {check.output}" if check.output else ""
            yield f"{who}: check {check.name} is {check.status}{says}"
    for name, task in sorted(allocation.tasks.items()):
        for sentence in _task(task):
            found = True
            yield f"{who}, task {name}: {sentence}"
    if not found:
        state = allocation.client_description or allocation.client_status
        health = "" if allocation.healthy else "; it did not become healthy in time"
        yield f"{who}: {state}{health}"
    for (owner, task_name), lines in sorted(facts.logs.items()):
        if owner == allocation.id:
            yield f"{who}, task {task_name}, last lines of its log:"
            yield from (f"  | {line}" for line in lines)


def _task(task: TaskState) -> Iterator[str]:
    exits = [event for event in task.events if event.exit_code is not None]
    if exits and (task.failed or task.restarts):
        yield _exited(exits[-1], task.restarts)
    told: set[str] = set()
    for event in task.events:
        if event.type in _TELLING and (sentence := _sentence(event)) not in told:
            told.add(sentence)
            yield sentence


def _exited(event: TaskEvent, restarts: int) -> str:
    signal = event.details.get("signal", "0")
    how = f"exited with status {event.exit_code}"
    if signal not in {"", "0"}:
        how = f"was killed by signal {signal}"
    if event.details.get("oom_killed") == "true":
        how = "was killed because it used more memory than its limit"
    again = f", and was restarted {restarts} time{'s' if restarts != 1 else ''}" if restarts else ""
    return how + again


def _sentence(event: TaskEvent) -> str:
    message = mask.shapes(" ".join(event.message.split()))
    return f"{event.type}: {message}" if message else event.type
