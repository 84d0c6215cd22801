"""Emptying a node: its allocations elsewhere and healthy there, before anybody works on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from flowrex.errors import DeploymentFailed, HardStop, UsageError
from flowrex.nomad import Node, NomadClient
from generator import instances, placement
from generator.canary import PASSING
from generator.standing import standings
from generator.watch import Event, Watch

_STEP_S = 1.0


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C while a node is emptied, which goes on."""


@dataclass(frozen=True)
class Drained:
    """What was moved.

    Attributes:
        node: from where.
        moved: job to the number of its allocations that were there.
    """

    node: str
    moved: Mapping[str, int]


def find(nomad: NomadClient, name: str) -> Node:
    """Return the node of a name, or of the beginning of an id.

    Raises:
        UsageError: there is none, or more than one.
    """
    nodes = nomad.nodes.list()
    found = [one for one in nodes if one.name == name or one.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    names = [one.name for one in nodes]
    if found:
        raise UsageError(
            f"{name!r} is more than one node", hint=f"Name it by its id: {found[0].id}"
        )
    near = get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
    raise UsageError(f"there is no node {name!r}", hint=hint)


def drain(
    watch: Watch, node: Node, names: Sequence[str], *, deadline_s: int, system: bool
) -> Drained:
    """Drain a node, and wait until what ran on it is healthy elsewhere.

    Args:
        watch: whom to ask and to tell; its guard knows the lock.
        node: the node.
        names: the environment's jobs.
        deadline_s: seconds after which Nomad stops what still runs there.
        system: whether the node's part of system jobs is ended, too.

    Raises:
        HardStop: a deployment is on its way, or there is no other node to go to.
        DeploymentFailed: something did not get healthy elsewhere in time; the drain stands.
        Interrupted: it was not waited for; the drain stands likewise.
    """
    _require_quiet(watch, names)
    _require_another(watch, node)
    there = _live_on(watch, node, names, system=system)
    watch.guard()
    try:
        watch.nomad.nodes.drain(node.id, deadline_s=deadline_s, system=system)
        return _emptied(watch, node, names, there, deadline_s=deadline_s, system=system)
    except KeyboardInterrupt as error:
        raise Interrupted from error


def _emptied(
    watch: Watch,
    node: Node,
    names: Sequence[str],
    there: Mapping[str, int],
    *,
    deadline_s: int,
    system: bool,
) -> Drained:
    """Wait until what ran on a node is healthy elsewhere."""
    text = ", ".join(f"{count} of {job}" for job, count in sorted(there.items())) or "nothing"
    watch.tell(Event("", "drain", f"{node.name} is drained: {text} to move"))
    end, left = watch.clock.now() + deadline_s, dict(there)
    while left or _missing(watch, there):
        if watch.clock.now() >= end:
            raise _late(watch, node, left, there)
        watch.pause(_STEP_S)
        now = _live_on(watch, node, names, system=system)
        if now != left:
            left = now
            text = ", ".join(f"{count} of {job}" for job, count in sorted(left.items()))
            watch.tell(Event("", "drain", f"still there: {text}" if left else "nothing is left"))
    watch.tell(Event("", "drained", f"{node.name} is empty, and what ran there is healthy"))
    return Drained(node.name, there)


def give_back(watch: Watch, node: Node, names: Sequence[str]) -> None:
    """Let allocations come to a node again, those of system jobs at once.

    Args:
        watch: whom to ask and to tell.
        node: the node.
        names: the environment's jobs.
    """
    watch.nomad.nodes.undrain(node.id)
    for name in names:
        job = watch.ask(name, watch.nomad.jobs.find, name)
        # Nomad does so for all other jobs, and not always for these (its issue 27529).
        if job is not None and job.type == "system" and not job.stop:
            watch.nomad.jobs.evaluate(name)
    watch.tell(Event("", "undrained", f"{node.name} takes allocations again"))


def _require_quiet(watch: Watch, names: Sequence[str]) -> None:
    moving = [one.name for one in standings(watch.nomad, names) if one.moving]
    if moving:
        raise HardStop(
            f"{' and '.join(moving)}: a deployment is on its way, and its canary might be lost",
            hint=f"flowrexctl promote {watch.environment}, or flowrexctl fail {watch.environment}",
        )


def _require_another(watch: Watch, node: Node) -> None:
    others = [
        one
        for one in watch.ask("", watch.nomad.nodes.list)
        if one.id != node.id and one.pool == node.pool and one.eligible and one.status == "ready"
    ]
    if not others:
        raise HardStop(
            f"{node.name} is the only node of the pool {node.pool} that takes allocations",
            hint=f"Give another one back first: flowrexctl drain {watch.environment} NODE --end",
        )


def _live_on(watch: Watch, node: Node, names: Sequence[str], *, system: bool) -> dict[str, int]:
    """Return job to the number of its allocations that run on a node."""
    found: Counter[str] = Counter()
    for name in names:
        job = watch.ask(name, watch.nomad.jobs.find, name)
        if job is None or (job.type == "system" and not system):
            continue
        for one in watch.ask(name, watch.nomad.allocations.of_job, name):
            if one.node == node.name and one.live:
                found[name] += 1
    return dict(found)


def _missing(watch: Watch, moved: Mapping[str, int]) -> list[str]:
    """Return a sentence for each job of which too few instances pass their checks."""
    found = []
    for name in moved:
        job = watch.ask(name, watch.nomad.jobs.find, name)
        if job is None or job.type != "service" or job.stop:
            continue
        checks = watch.ask(name, watch.consul.checks_of, name)
        there = instances.of_job(name, watch.ask(name, watch.consul.services, name), checks)
        passing = sum(not one.failing for one in there)
        if passing < job.count:
            found.append(f"{name}: {passing} of {job.count} instances are {PASSING}")
    return found


def _late(
    watch: Watch, node: Node, left: Mapping[str, int], moved: Mapping[str, int]
) -> DeploymentFailed:
    reasons = [f"{count} of {job} still runs on it" for job, count in sorted(left.items())]
    reasons += _missing(watch, moved)
    for name in moved:
        for one in watch.ask(name, watch.nomad.jobs.evaluations, name):
            if one.status == "blocked":
                reasons += [f"{name}: {why}" for why in placement.explain(one.failed_placements)]
    return DeploymentFailed(
        f"{node.name} could not be emptied in time: " + "; ".join(dict.fromkeys(reasons)),
        hint=f"It takes no allocations. Give it back: flowrexctl drain {watch.environment} "
        f"{node.name} --end",
    )
