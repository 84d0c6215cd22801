"""What `run` and `resume` have in common: carrying steps out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flowrex.errors import DeploymentFailed, UsageError
from generator.cli import context
from generator.cli.changing import finish, validator
from generator.cli.telling import Teller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowrex.consul import ConsulClient
    from generator.asked import Asked
    from generator.deploy import Step
    from generator.environment import Environment
    from generator.origin import MadeFrom, Origin
    from generator.trial import Trial


def carry_out(
    environment: Environment,
    steps: Sequence[Step],
    asked: Asked,
    version: str,
    reason: str | None,
    lock_wait: str | None,
    *,
    backup: str | None = None,
    made_from: MadeFrom | None = None,
    as_json: bool,
) -> None:
    """Carry the steps of a run out, and print what became of each job.

    Args:
        environment: the settings.
        steps: in the order of deployment.
        asked: what was typed.
        version: the application's version.
        reason: why, in the words of the person.
        lock_wait: how long another deployment's lock is waited for; None: as the settings say.
        backup: the one that was taken already, by the run that this one goes on with.
        made_from: the state of the project that a saved plan was made from; None: the specs were
            rendered from what is there now.
        as_json: whether one document is printed.
    """
    from flowrex.duration import seconds
    from generator import access, around, origin
    from generator.checks import edges
    from generator.prepare import Preparation
    from generator.run import blame_vault, require_vault, run
    from generator.setup import Setup

    nomad, consul = access.nomad(environment), access.consul(environment)
    vault = access.vault(environment)
    require_vault(vault)
    teller = Teller()
    root = context.project_root()
    came = origin.of_project(root, reason, migrates=True)
    ground = edges.ground(environment, root, [step.job for step in steps], nomad, consul)
    if made_from is not None:
        _tell_other(teller, made_from, came)
        came = made_from.origin(reason)
        ground = replace(ground, revision=lambda: made_from.tree)
    setup = Setup(
        environment,
        nomad,
        consul,
        teller,
        seconds(lock_wait or environment.deploy.lock_wait),
        came,
        vault=vault,
        around=around.of_environment(environment, root, teller),
    )
    trials = _trials(environment, consul, promote=asked.auto_promote)
    prepare = Preparation(ground, asked.overrides, asked.skip_backup, teller, backup)
    try:
        outcomes = run(
            setup,
            steps,
            version=version,
            promote=asked.promote,
            prepare=prepare,
            trials=trials,
            asked=asked,
            validate=validator(setup),
        )
    except DeploymentFailed as failure:
        blame_vault(vault, failure)
        raise
    finally:
        teller.clear()
    finish(setup, outcomes, as_json=as_json)


def _tell_other(teller: Teller, made_from: MadeFrom, here: Origin) -> None:
    """Say where another state of the project is checked out than a plan was made from."""
    from generator.watch import Event

    if made_from.revision != here.revision:
        made, found = (one.revision or "no git repository" for one in (made_from, here))
        text = f"the plan was made from {made}, and here is {found}: the plan's counts"
        teller(Event("", "revision", text))


def _trials(environment: Environment, consul: ConsulClient, *, promote: bool) -> dict[str, Trial]:
    from generator import prometheus
    from generator.analysis.run import Analyst
    from generator.fetch import fetch
    from generator.trial import Trial

    compared = {
        job: rules
        for job, rules in (
            ("backend", environment.backend.analysis),
            ("frontend", environment.frontend.analysis),
        )
        if rules.enabled
    }
    if not compared:
        if promote:
            raise UsageError(
                f"no canary of {environment.name} is compared, so that none is found good",
                hint="--set backend.analysis.enabled=true compares the backend's; --promote "
                "promotes a canary that is healthy.",
            )
        return {}
    return {
        job: Trial(Analyst(rules, lambda: prometheus.find(consul, fetch)), promote)
        for job, rules in compared.items()
    }
