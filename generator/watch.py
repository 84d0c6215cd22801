"""Watching Nomad: blocking queries with a deadline, and patience while a leader is elected."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from flowrex.consul import ConsulClient
from flowrex.errors import NotFound, PermissionRefused, ServerUnreachable
from flowrex.nomad import Deployment, Evaluation, JobVersion, NomadClient
from flowrex.nomad.model import consul_checks as declared_checks
from generator import canary, facts, mask, placement
from generator.facts import Facts

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    """Something that a person following a run wants to know.

    Attributes:
        job: the job it is about, empty for the run as a whole.
        what: a word for programs: `submitted`, `progress`, `task`, `blocked`, `canary`, …
        text: a sentence for people.
        details: ids and numbers, for programs.
    """

    job: str
    what: str
    text: str
    details: Mapping[str, object] = field(default_factory=dict)


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> float:
        """Return seconds that only ever grow."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class SystemClock:
    """The machine's time."""

    def now(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


class OverdueError(Exception):
    """What is watched did not end in time; callers turn it into a diagnosis."""


class BlockedError(Exception):
    """Nomad has found no place for an allocation for too long."""


def nothing(_: Event) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Watch:
    """How a rollout watches: whom it asks, whom it tells, and how long it waits.

    Attributes:
        environment: its name, for the commands that are suggested.
        nomad: the Nomad that deploys.
        consul: the Consul that checks.
        deadline_s: seconds in which one job's deployment must end.
        tell: gets each event.
        guard: raises when the run may not go on, for example because its lock is lost; asked
            before each question, and before each change.
        clock: the time.
        patience_s: seconds for which an unanswered question is asked again.
        placement_s: seconds for which an allocation may find no place.
        step_s: seconds that one blocking query waits; checks and tasks are looked at in between.
        vault: asked, after a failure, whether it has what a template waits for; None: not asked.
    """

    environment: str
    nomad: NomadClient
    consul: ConsulClient
    deadline_s: float
    tell: Callable[[Event], None] = nothing
    guard: Callable[[], None] = lambda: None
    clock: Clock = field(default_factory=SystemClock)
    patience_s: float = 20.0
    placement_s: float = 60.0
    step_s: float = 3.0
    vault: VaultClient | None = None

    def ask(self, job: str, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask until there is an answer: a leader election or a restart must not end a run.

        Args:
            job: for the event.
            question: one request that may be repeated.
            args: what it is called with.
            kwargs: likewise.

        Raises:
            ServerUnreachable: there was no answer for `patience_s` seconds.
        """
        since: float | None = None
        while True:
            self.guard()
            try:
                return question(*args, **kwargs)
            except (PermissionRefused, NotFound):
                raise
            except ServerUnreachable as error:
                now = self.clock.now()
                if since is None:
                    since = now
                    self.tell(Event(job, "unreachable", f"{error.message}; asking again"))
                if now - since >= self.patience_s:
                    raise ServerUnreachable(
                        error.message,
                        hint="What Nomad has begun goes on without this run. When the server "
                        f"answers again: flowrexctl status {self.environment}",
                    ) from error
                self.clock.sleep(1)

    def pause(self, seconds: float) -> None:
        """Let time pass, and stop soon where the run may not go on."""
        end = self.clock.now() + seconds
        while (left := end - self.clock.now()) > 0:
            self.guard()
            self.clock.sleep(min(1.0, left))

    def evaluation(self, job: str, evaluation_id: str, end: float) -> Evaluation:
        """Wait until the scheduler is done with an evaluation.

        Args:
            job: the job it is for.
            evaluation_id: the evaluation.
            end: the clock's time at which `OverdueError` is raised.
        """
        index = 0
        while True:
            evaluation, index = self.ask(
                job, self.nomad.jobs.wait_evaluation, evaluation_id, index, self.step_s
            )
            if evaluation.ended:
                return evaluation
            if self.clock.now() >= end:
                raise OverdueError

    def deployment(
        self,
        deployment: Deployment,
        seen: Facts,
        current: JobVersion,
        end: float,
        *,
        stop_at_canary: bool,
    ) -> Deployment:
        """Follow a deployment until it ends, or until its canary is ready.

        Args:
            deployment: as last seen.
            seen: gets what may be needed to explain a failure.
            current: the version that is deployed.
            end: the clock's time at which `OverdueError` is raised.
            stop_at_canary: return when the canary could be promoted.

        Returns:
            The deployment: no longer active, or with a canary that `canary.judge` finds ready.

        Raises:
            OverdueError: it did not end in time.
            BlockedError: something could not be placed for `placement_s` seconds.
        """
        declared = declared_checks(current)
        index, said = 0, ""
        blocked_since: float | None = None
        while True:
            deployment, index = self.ask(
                seen.job, self.nomad.deployments.wait, deployment.id, index, self.step_s
            )
            seen.deployment = deployment
            allocations = self.ask(seen.job, self.nomad.deployments.allocations, deployment.id)
            seen.see_allocations(allocations)
            if not deployment.active:
                return deployment
            checks = self.ask(seen.job, facts.consul_checks, self.consul, declared)
            seen.see_checks(checks)
            self.tell_tasks(seen)
            if (text := progress(deployment)) != said:
                said = text
                self.tell(Event(seen.job, "progress", text, {"deployment": deployment.id}))
            if stop_at_canary and deployment.waits_for_promotion:
                # The health in Nomad and the checks in Consul, read just now.
                verdict = canary.judge(deployment, allocations, checks, declared)
                seen.unready = verdict.reasons
                if verdict.ready:
                    return deployment
            lacking = _lacks_allocations(deployment)
            blocked_since = self.placement(seen, blocked_since, lacking=lacking)
            if self.clock.now() >= end:
                raise OverdueError

    def placement(self, seen: Facts, since: float | None, *, lacking: bool) -> float | None:
        """Look why allocations are not placed.

        Args:
            seen: gets the reasons.
            since: the clock's time since which something could not be placed.
            lacking: whether there are fewer allocations than wanted.

        Returns:
            The new `since`: None when nothing is wrong.

        Raises:
            BlockedError: it has been so for `placement_s` seconds.
        """
        if not lacking:
            seen.placement = ()
            return None
        evaluations = self.ask(seen.job, self.nomad.jobs.evaluations, seen.job)
        failed = next((e.failed_placements for e in evaluations if e.status == "blocked"), None)
        if not failed:
            seen.placement = ()
            return None
        reasons = placement.explain(failed, seen.spec)
        if reasons != seen.placement:
            seen.placement = reasons
            self.tell(Event(seen.job, "blocked", "can't be placed: " + "; ".join(reasons)))
        now = self.clock.now()
        since = now if since is None else since
        if now - since >= self.placement_s:
            raise BlockedError
        return since

    def tell_tasks(self, seen: Facts) -> None:
        """Tell what happened to tasks since the last call."""
        for allocation in seen.allocations.values():
            for name, task in allocation.tasks.items():
                for event in task.events:
                    key = (allocation.id, name, f"{event.time}{event.type}")
                    if key in seen.told:
                        continue
                    seen.told.add(key)
                    who = f"{allocation.short_id} {name}"
                    text = f"{who}: {mask.shapes(event.message) or event.type}"
                    self.tell(Event(seen.job, "task", text, {"allocation": allocation.id}))


def _lacks_allocations(deployment: Deployment) -> bool:
    return any(
        group.placed
        < (group.desired_canaries if group.waits_for_promotion else group.desired_total)
        for group in deployment.groups.values()
    )


def progress(deployment: Deployment) -> str:
    """Return how far a deployment is, in one line."""
    parts = []
    for name, group in sorted(deployment.groups.items()):
        if group.waits_for_promotion:
            text = f"canary {group.healthy} of {group.desired_canaries} healthy"
        else:
            text = f"{group.healthy} of {group.desired_total} healthy"
        if group.unhealthy:
            text += f", {group.unhealthy} unhealthy"
        parts.append(f"{name}: {text}" if len(deployment.groups) > 1 else text)
    return "; ".join(parts) or deployment.description
