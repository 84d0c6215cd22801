"""A run: the jobs of a plan in their order, under the lock, with a record.

A job begins when those that it relies on are in service (`generator.order`). One whose canary waits
is waited for by a person: what relies on it is not begun. After the promotion, the same `run` does
the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from flowrex.errors import (
    CanaryWaiting,
    DeploymentFailed,
    ServerRefused,
    ServerUnreachable,
)
from flowrex.nomad import NomadClient
from generator import keeping, planfile
from generator.asked import Asked
from generator.deploy import Outcome, Step, action_now, as_planned, deploy, unchanged
from generator.order import Progress, carry_out
from generator.plan import JobPlan
from generator.planfile import PlannedJob
from generator.recorder import Recorder
from generator.release import Kind
from generator.render import select
from generator.render.catalog import needs
from generator.setup import Setup, locked
from generator.trial import Trial
from generator.watch import Event, Watch

if TYPE_CHECKING:
    from flowrex.vault import VaultClient


@contextmanager
def under_lock(
    setup: Setup,
    kind: Kind,
    version: str | None,
    *,
    plan: str | None = None,
    back_to: str | None = None,
    asked: Asked | None = None,
) -> Iterator[tuple[Watch, Recorder]]:
    """Hold the lock and keep a record for the length of a block.

    Args:
        setup: whom to ask and to tell.
        kind: the verb.
        version: the application's version, where the run is about one.
        plan: the hash of the plan that is carried out.
        back_to: the release that a rollback goes back to.
        asked: what a run was asked for.

    Yields:
        The watch, whose guard knows the lock, and the record.
    """
    environment = setup.environment
    what = f"{kind} {environment.name}"
    recorder = None
    try:
        with locked(setup, what) as watch:
            names = [job.name for job in select(environment)]
            recorder = Recorder(
                setup.consul,
                environment.name,
                kind,
                version,
                what,
                history=environment.release.history,
                origin=setup.origin,
                plan=plan,
                back_to=back_to,
                stands=keeping.stands(setup.nomad, names),
                asked=asked,
                # What was done is recorded also where the lock was lost since.
                ask=partial(replace(watch, guard=lambda: None).ask, ""),
            )
            try:
                if setup.around is not None:
                    setup.around.before(recorder.record)
                yield watch, recorder
            except BaseException as error:
                _end(setup, recorder, error)
                raise
            _end(setup, recorder, None)
            keeping.let_go(watch, setup.consul, recorder.record.jobs)
    finally:
        # Without the lock: what comes after may take its time.
        if recorder is not None and setup.around is not None:
            setup.around.after(recorder.record)


def _end(setup: Setup, recorder: Recorder, error: BaseException | None) -> None:
    """Complete the record; that it can't be written must not hide what happened."""
    try:
        recorder.end(error)
    except ServerUnreachable as away:
        text = f"the release's record can't be written, and says `running`: {away.message}"
        if recorder.record.kind == "run":
            text += (
                ". When Consul answers again, this completes it, and begins nothing that is done: "
                f"flowrexctl resume {setup.environment.name}"
            )
        setup.tell(Event("", "unrecorded", text))


def steps_of_plan(plans: Sequence[JobPlan]) -> tuple[Step, ...]:
    """Return what a run does for plans that were just made."""
    return tuple(Step(plan.job, plan.index, plan.version, plan.action) for plan in plans)


def steps_of_file(jobs: Sequence[PlannedJob], nomad: NomadClient) -> tuple[Step, ...]:
    """Return what a run does for a saved plan.

    A spec that is in Nomad already needs no submission; what it needs instead is found out when
    its turn comes.

    Args:
        jobs: from the file.
        nomad: where the jobs are.
    """
    from generator.plan import plan_jobs

    plans = plan_jobs(nomad, [planned.job for planned in jobs])
    return tuple(
        Step(planned.job, planned.index, planned.version, plan.action)
        for planned, plan in zip(jobs, plans, strict=True)
    )


def require_vault(vault: VaultClient) -> None:
    """Refuse to begin while no new allocation could log in to Vault.

    Nomad would place it, fail it and revert, which takes until the progress deadline.

    Raises:
        ServerUnreachable: Vault does not answer, or is sealed.
    """
    if vault.health().sealed:
        raise ServerRefused(
            f"Vault at {vault.address} is sealed, and no task could log in to it",
            hint="Unseal it, then run again. For a local cluster: flowrexctl dev up",
        )


def blame_vault(vault: VaultClient, failure: DeploymentFailed) -> None:
    """Raise what made a deployment fail if that is a Vault that went away in the meantime.

    Raises:
        ServerUnreachable: Vault does not answer, or is sealed.
    """
    try:
        require_vault(vault)
    except ServerUnreachable as away:
        raise ServerUnreachable(
            f"{away.message}. Without it {failure.message}", hint=away.hint
        ) from failure


def unprepared(steps: Sequence[Step], recorder: Recorder) -> None:
    """Let a run begin as it is."""


def unvalidated(watch: Watch, recorder: Recorder) -> None:
    """Let a run end as it is."""


def run(
    setup: Setup,
    steps: Sequence[Step],
    *,
    version: str,
    promote: bool,
    prepare: Callable[[Sequence[Step], Recorder], None] = unprepared,
    trials: Mapping[str, Trial] = MappingProxyType({}),
    asked: Asked | None = None,
    validate: Callable[[Watch, Recorder], None] = unvalidated,
) -> list[Outcome]:
    """Carry the steps out.

    Args:
        setup: whom to ask and to tell.
        steps: in the order of deployment.
        version: the application's version.
        promote: whether healthy canaries are promoted at once.
        prepare: called under the lock before the first job is touched; raises where nothing may be.
        trials: job to how its canary is tried before it may be promoted.
        asked: what was typed, for whoever has to go on with it.
        validate: called under the lock when all is deployed; raises where it does not work.

    Returns:
        What became of each job.

    Raises:
        CanaryWaits: a canary is healthy and waits; it carries the outcomes.
    """
    updated = {step.job.name for step in steps if step.action in {"update", "retry", "watch"}}
    progress = Progress(steps, needs(updated))
    plan = planfile.content_hash(setup.environment.name, version, steps)
    asked = asked or Asked(promote=promote)
    with under_lock(setup, "run", version, plan=plan, asked=asked) as (watch, recorder):
        progress.steps = as_planned(watch, steps)
        recorder.planned(progress.steps)
        if promote:
            _uncompared(watch, recorder, [one for one in trials if one in updated])
        prepare(progress.steps, recorder)
        # A backup takes minutes, in which the lock may have gone.
        watch.guard()

        def act(step: Step, go_on: Callable[[], None]) -> Outcome:
            def guard() -> None:
                watch.guard()
                go_on()

            own = replace(watch, guard=guard)
            fresh = _fresh(own, step)
            return deploy(own, fresh, promote=promote, trial=trials.get(step.job.name))

        def ended(step: Step, outcome: Outcome) -> None:
            keeping.note(watch, recorder, outcome, step.job.sha256)

        carry_out(progress, act, ended)
        if (error := progress.error()) is not None:
            raise error
        if any(one.result == "canary" for one in progress.ended()):
            rest = [step.job.name for step in progress.pending() if step.action != "none"]
            for name in rest:
                recorder.add(Outcome(name, "pending", None, None))
            raise canary_waits(setup.environment.name, progress.ended(), rest)
        if any(one.result != "unchanged" for one in progress.ended()):
            validate(watch, recorder)
    return progress.ended()


def _uncompared(watch: Watch, recorder: Recorder, jobs: Sequence[str]) -> None:
    for name in jobs:
        text = "a canary is promoted without being compared with the stable version (--promote)"
        watch.tell(Event(name, "uncompared", text))
    recorder.left_uncompared(jobs)


def _fresh(watch: Watch, step: Step) -> Step:
    """Look again at a job whose spec does not change: waiting for the lock may have taken long."""
    if step.action in {"create", "update"}:
        return step
    return replace(step, action=action_now(watch, unchanged(watch, step)))


class CanaryWaits(CanaryWaiting):
    """A canary is healthy and waits for somebody to promote it."""

    def __init__(self, message: str, *, hint: str, outcomes: Sequence[Outcome]) -> None:
        super().__init__(message, hint=hint)
        self.outcomes = tuple(outcomes)

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        jobs = [outcome.as_document() for outcome in self.outcomes]
        return {**super().as_document(), "error": "CanaryWaiting", "jobs": jobs}


def canary_waits(environment: str, outcomes: Sequence[Outcome], rest: Sequence[str]) -> CanaryWaits:
    """Return the error that ends a run whose canary waits.

    Args:
        environment: its name.
        outcomes: what became of the jobs that were begun.
        rest: the jobs that were not begun, and would change.
    """
    waiting = [f"{one.job} version {one.version}" for one in outcomes if one.result == "canary"]
    hint = (
        f"Let it replace the old version: flowrexctl promote {environment}\n"
        f"Give it up:                     flowrexctl fail {environment}"
    )
    if rest:
        hint += (
            f"\nNot begun yet: {', '.join(rest)}. After the promotion: flowrexctl run {environment}"
        )
    return CanaryWaits(
        f"{' and '.join(waiting)}: the canary is healthy and waits to be promoted",
        hint=hint,
        outcomes=outcomes,
    )
