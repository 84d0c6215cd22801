"""`flowrexctl resume`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.errors import UsageError
from generator.cli import context, question
from generator.cli.carrying import carry_out
from generator.cli.changing import lock_wait_option, reason_option
from generator.cli.options import environment_argument, json_option

if TYPE_CHECKING:
    from generator.origin import Origin

_LEFT = {
    "create": "deploy it",
    "update": "deploy the new version",
    "rerun": "run it again",
    "retry": "start it again",
    "watch": "follow it to its end",
}


@click.command("resume")
@environment_argument
@json_option
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The plan that the run was given, where it had one.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@reason_option
@lock_wait_option
@click.pass_context
def command(
    ctx: click.Context,
    environment_name: str,
    as_json: bool,
    plan_file: Path | None,
    yes: bool,
    reason: str | None,
    lock_wait: str | None,
) -> None:
    """Go on with a run of ENV that was cut off.

    For a run whose process was killed, that was interrupted, or that lost a server or its lock; and
    for what a run had not begun when its canary was waiting, after the promotion. It does what is
    left with the options and settings that the run was given: a job that Nomad has been given is
    followed to its end, the rest is deployed. The specs are rendered anew and have to be the same,
    and no job may have been changed by somebody else since: exit 4 otherwise.

    The lock of a dead run is waited for, as it expires by itself.

    \b
    Examples:
      flowrexctl resume prod
      flowrexctl resume prod --yes --plan release.plan
    """
    from flowrex.duration import seconds
    from generator import access, asked, origin, planfile, release, resume
    from generator.render import each_job

    plain = context.load_environment(environment_name, ())
    consul = access.consul(plain)
    record = resume.unfinished(release.history(consul, plain.name), plain.name)
    wanted = asked.read(record.asked, record.id)
    environment = context.load_environment(environment_name, wanted.settings)
    made_from = None
    if plan_file:
        plan = planfile.read(plan_file, environment.name)
        jobs, made_from = [one.job for one in plan.jobs], plan.made_from
    else:
        chosen = tuple(wanted.planned or ())
        jobs = list(each_job(environment, context.project_root(), chosen))
    steps = resume.steps(access.nomad(environment), wanted, jobs, environment.name)
    left = [step for step in steps if step.action != "none"]
    if made_from is None:
        _tell_other(
            record.revision, origin.of_project(context.project_root(), None, migrates=False)
        )
    output.say(f"The run of {record.started} by {record.who} left this to do:")
    rows = [(one.job.name, _LEFT[one.action]) for one in left]
    output.say(output.table(rows, ("JOB", "LEFT TO DO")) if rows else "nothing but its record.")
    if left and not yes:
        question.confirm(
            f"Go on with it in {environment.name}?",
            alone="it asks before it changes anything, and there is nobody to ask",
            hint=f"flowrexctl resume {environment.name} --yes",
        )
    if not record.version:
        raise UsageError(f"the record of {record.id} names no version")
    # A dead holder's lock lives for up to twice its TTL.
    wait_s = max(
        seconds(lock_wait or environment.deploy.lock_wait),
        2 * seconds(environment.deploy.lock_ttl) + 5,
    )
    carry_out(
        environment,
        steps,
        wanted,
        record.version,
        reason or record.reason,
        f"{wait_s:.0f}s",
        backup=record.backup,
        made_from=made_from,
        as_json=as_json,
    )


def _tell_other(began: str | None, here: Origin) -> None:
    """Say where the specs are the same, and the project they are rendered from is another."""
    if began != here.revision:
        one, other = (revision or "no git repository" for revision in (began, here.revision))
        output.say(
            f"It began from {one}, and here is {other}: both render the same, and the rest is "
            "judged and recorded as what is here."
        )
