"""`flowrexctl plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.errors import FlowrexError
from generator.cli import DETAILED_ERROR, context
from generator.cli.options import environment_options
from generator.cli.telling import styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from generator.environment import Environment
    from generator.plan import JobPlan

CHANGES = 1


@click.command("plan")
@environment_options
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan, for `flowrexctl run ENV --plan FILE`.",
)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0 without changes, 1 with changes, 255 on an error.",
)
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    jobs: tuple[str, ...],
    out: Path | None,
    detailed_exitcode: bool,
) -> int:
    """Show what a run would change.

    Nothing is changed. A saved plan binds each job's spec and the index that the job has now; if
    either is another one when it runs, the run stops (exit 4). It also says from which commit it
    was made: that is the one that the release's record names, and whose tests count.

    \b
    Examples:
      flowrexctl plan dev
      flowrexctl plan prod backend --out release.plan
      flowrexctl plan staging --detailed-exitcode --json
    """
    from generator import access, pinned, planfile, planview
    from generator.plan import has_changes, plan_jobs
    from generator.render import each_job, select

    try:
        environment = context.load_environment(environment_name, overrides)
        pinned.demand(environment, [job.name for job in select(environment, jobs)])
        rendered = each_job(environment, context.project_root(), jobs)
        plans = plan_jobs(access.nomad(environment), rendered)
        if out:
            _save(out, environment, plans)
    except FlowrexError as error:
        if detailed_exitcode:
            error.exit_status = DETAILED_ERROR
        raise
    version = environment.release.version
    status = CHANGES if detailed_exitcode and has_changes(plans) else 0
    if as_json:
        known_by = planfile.content_hash(environment.name, version, plans)
        document = planview.document(environment.name, version, plans)
        output.emit({**document, "hash": known_by}, status)
    else:
        output.show(styled(planview.lines(plans)))
        if out:
            output.say(
                f"\nSaved. To run exactly this: flowrexctl run {environment.name} --plan {out}"
            )
    return status


def _save(path: Path, environment: Environment, plans: Sequence[JobPlan]) -> None:
    from datetime import UTC, datetime

    from generator import origin, planfile

    made_from = origin.made_from(context.project_root())
    version = environment.release.version
    planfile.write(path, environment.name, version, plans, datetime.now(UTC), made_from)
