"""`flowrexctl drift`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.errors import FlowrexError
from generator.cli import DETAILED_ERROR, context
from generator.cli.options import environment_options
from generator.cli.telling import styled

if TYPE_CHECKING:
    from generator.environment import Environment

_DRIFT = 1


@click.command("drift")
@environment_options
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("--counts", is_flag=True, help="Let a count that alone differs be drift as well.")
@click.option("--only-ours", is_flag=True, help="Leave out jobs that no template of ENV makes.")
@click.option(
    "--as-released",
    is_flag=True,
    help="Render the version and the code that were released last, as the record says.",
)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 0 without drift, 1 with drift, 255 on an error.",
)
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    jobs: tuple[str, ...],
    counts: bool,
    only_ours: bool,
    as_released: bool,
    detailed_exitcode: bool,
) -> int:
    """Compare what runs with what would be rendered now.

    Each job is as rendered; changed (the difference is shown, secrets are not); scaled, where only
    a count differs, which a person or an autoscaler may do and which is no drift without --counts;
    missing; stopped; or pending, while a deployment is on its way. Where no JOB is named, the jobs
    of the namespace that no template of ENV makes are told too. Nothing is changed.

    What is rendered is the version that ENV's files name, or --set. With --as-released it is what
    was released last, with its images or artifacts: for a CI system that has named the version when
    it deployed.

    \b
    Examples:
      flowrexctl drift prod
      flowrexctl drift prod --as-released --detailed-exitcode --json
      flowrexctl drift prod backend --counts
    """
    from generator import access, drift
    from generator.render import each_job, select

    try:
        environment = context.load_environment(environment_name, overrides)
        if as_released:
            last = _released(environment)
            environment = context.load_environment(environment_name, (*last, *overrides))
        rendered = tuple(each_job(environment, context.project_root(), jobs))
        known = {job.name for job in select(environment)}
        alone = bool(jobs) or only_ours
        found = drift.look(access.nomad(environment), rendered, None if alone else known)
    except FlowrexError as error:
        if detailed_exitcode:
            error.exit_status = DETAILED_ERROR
        raise
    document = drift.document(environment.name, environment.release.version, found, counts=counts)
    status = _DRIFT if document["drift"] and detailed_exitcode else 0
    if as_json:
        output.emit(document, status)
    else:
        output.show(styled([*drift.lines(found, counts=counts)]))
    return status


def _released(environment: Environment) -> tuple[str, ...]:
    from generator import access, release, released

    records = release.history(access.consul(environment), environment.name)
    return released.settings_of(records, environment.name)
