"""`flowrexctl run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.errors import HardStop, UsageError
from generator.cli import context, question
from generator.cli.carrying import carry_out
from generator.cli.changing import lock_wait_option, reason_option
from generator.cli.options import environment_options
from generator.cli.preflight import override_option
from generator.cli.telling import outcomes_document, styled

if TYPE_CHECKING:
    from flowrex.nomad import NomadClient
    from generator.deploy import Step
    from generator.environment import Environment
    from generator.origin import MadeFrom


@click.command("run")
@environment_options
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Run exactly what `flowrexctl plan ENV --out FILE` saved.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--promote", is_flag=True, help="Promote each canary as soon as it is healthy.")
@click.option(
    "--auto-promote",
    is_flag=True,
    help="Promote each canary that is compared, and found as good as the stable version.",
)
@click.option(
    "--skip-backup", metavar="WHY", help="Take no backup before it; why is kept in its record."
)
@override_option
@reason_option
@lock_wait_option
@click.pass_context
def command(
    ctx: click.Context,
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    jobs: tuple[str, ...],
    plan_file: Path | None,
    yes: bool,
    promote: bool,
    auto_promote: bool,
    skip_backup: str | None,
    overrides_of_stops: tuple[str, ...],
    reason: str | None,
    lock_wait: str | None,
) -> None:
    """Deploy an environment, up to its canary.

    Plans, shows the plan and asks; with --plan it runs what was saved, or stops with exit 4 if
    anything changed since. A job begins when those that it relies on are in service, and jobs that
    do not rely on each other are deployed at the same time. A first deployment goes straight to the
    end; an update stops when its canary is healthy (exit 9), and the jobs after it wait until it
    is promoted. A failed deployment (exit 5) says why; nothing more is begun after it.

    Where ENV asks for it (backend.analysis, frontend.analysis), the healthy canary is compared with
    the stable version for a while, through Prometheus; one that is worse is given up (exit 5), with
    the numbers. --auto-promote promotes one that is as good; where too little is known, a person
    decides.

    When all is deployed, it is looked at whether it works (`flowrexctl verify`); exit 5 where it
    does not, with the command that brings the release before back.

    Before the first job is touched, the hard stops are looked at (`flowrexctl preflight`) and,
    where the run changes what uses the database, a backup pre_deploy_<time> is taken and read
    again; as the environment's `preflight` and `deploy.backup` say. Exit 7 where a stop holds, or
    where there is no good backup: nothing was changed then.

    \b
    Examples:
      flowrexctl run dev --yes
      flowrexctl run prod --plan release.plan --lock-wait 5m --reason "case 17"
      flowrexctl run dev --yes --set backend.env.LOG_LEVEL=debug
      flowrexctl run prod --override monitoring --reason "Prometheus is being moved"
    """
    from generator import access, audit
    from generator.asked import Asked
    from generator.preflight import stops

    if plan_file and (jobs or overrides):
        raise UsageError(
            "a saved plan says itself which jobs and settings run",
            hint="Leave JOB and --set to `flowrexctl plan ENV --out FILE`.",
        )
    environment = context.load_environment(environment_name, overrides)
    try:
        stops.check_overrides(environment.preflight, overrides_of_stops, reason)
    except HardStop as refusal:
        # Nothing was begun; that somebody tried is worth knowing all the same.
        tried = {"overrides": list(overrides_of_stops)}
        with audit.recorded(
            access.consul(environment), environment.name, "run", reason or "", **tried
        ):
            raise refusal
    asked = Asked(overrides, promote, auto_promote, skip_backup, overrides_of_stops)
    nomad = access.nomad(environment)
    made_from = None
    if plan_file:
        version, steps, made_from = _saved(environment, nomad, plan_file)
    else:
        version = environment.release.version
        steps = _planned(ctx, environment, nomad, jobs, yes=yes, as_json=as_json)
    carry_out(
        environment,
        steps,
        asked,
        version,
        reason,
        lock_wait,
        made_from=made_from,
        as_json=as_json,
    )


def _saved(
    environment: Environment, nomad: NomadClient, path: Path
) -> tuple[str, Sequence[Step], MadeFrom]:
    from generator import planfile
    from generator.run import steps_of_file

    plan = planfile.read(path, environment.name)
    return plan.release, steps_of_file(plan.jobs, nomad), plan.made_from


def _planned(
    ctx: click.Context,
    environment: Environment,
    nomad: NomadClient,
    jobs: tuple[str, ...],
    *,
    yes: bool,
    as_json: bool,
) -> Sequence[Step]:
    from generator import pinned, planview
    from generator.plan import has_changes, plan_jobs
    from generator.render import each_job, select
    from generator.run import steps_of_plan

    pinned.demand(environment, [job.name for job in select(environment, jobs)])
    plans = plan_jobs(nomad, each_job(environment, context.project_root(), jobs))
    text = styled(planview.lines(plans))
    if as_json:
        output.say(text)
    else:
        output.show(text)
    if not has_changes(plans):
        if as_json:
            output.emit(outcomes_document(environment.name, ()), 0)
        ctx.exit(0)
    if not yes:
        question.confirm(
            f"Run this in {environment.name}?",
            alone="a run asks before it changes anything, and there is nobody to ask",
            hint=f"flowrexctl run {environment.name} --yes, or run a saved plan with --plan.",
        )
    return steps_of_plan(plans)
