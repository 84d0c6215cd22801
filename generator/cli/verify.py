"""`flowrexctl verify`."""

from __future__ import annotations

import click

from flowrex.command import output
from flowrex.errors import DeploymentFailed
from generator.cli import context
from generator.cli.checks_view import table
from generator.cli.options import environment_options


@click.command("verify")
@environment_options
@click.option("--verbose", is_flag=True, help="Show what was looked at, also where it passed.")
def command(environment_name: str, overrides: tuple[str, ...], as_json: bool, verbose: bool) -> int:
    """Look whether what is deployed in ENV works: the checklist after a deployment.

    `flowrexctl run` and `promote` look at the same when all is deployed. What can't be looked at is
    not passed; a check that is not is looked at again for `validation.deadline`. Which checks there
    are, and what an environment makes of each: docs/post-deploy.md.

    \b
    Exit status:
      0  every required check is passed
      5  one is not

    \b
    Examples:
      flowrexctl verify prod
      flowrexctl verify prod --json | jq '.checks[] | select(.verdict != "passed")'
    """
    from datetime import datetime

    from generator import access, release
    from generator.postdeploy import checklist
    from generator.postdeploy.ground import ground_of
    from generator.watch import SystemClock

    environment = context.load_environment(environment_name, overrides)
    consul = access.consul(environment)
    records = release.history(consul, environment.name)
    since = datetime.fromisoformat(records[0].started) if records else None
    nomad = access.nomad(environment)
    ground = ground_of(environment, context.project_root(), nomad, consul, since=since)
    progress = output.Progress()
    progress("looking")
    looked = checklist.look(ground, SystemClock())
    progress.clear()
    status = 0
    try:
        checklist.refuse(environment.name, environment.validation, looked)
    except DeploymentFailed as error:
        status = error.exit_status
    if as_json:
        checks = [
            {
                "check": one.check.name,
                "weight": checklist.weight(environment.validation, one.check.name),
                **one.as_document(),
            }
            for one in looked
        ]
        output.emit({"environment": environment.name, "checks": checks}, status)
    else:
        output.show(table(looked, "CHECK", verbose=verbose))
    return status
