"""`flowrexctl validate ENV [JOB…]`."""

from __future__ import annotations

import click

from flowrex.command.output import emit, say, show
from generator.cli.context import load_environment, project_root
from generator.cli.options import environment_options


@click.command("validate")
@environment_options
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("--offline", is_flag=True, help="Do not ask Nomad, even where it is in reach.")
def command(
    environment_name: str,
    jobs: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
    offline: bool,
) -> int:
    """Check ENV: its settings, its templates, each job's lint, and Nomad's own validator.

    Without a Nomad in reach the offline part still counts, and the report says that the other was
    left out. Exits 3 where anything is wrong.

    \b
    Examples:
      flowrexctl validate prod
      flowrexctl validate prod --offline --json
    """
    from generator import validate

    environment = load_environment(environment_name, overrides)
    report = validate.validate(environment, project_root(), jobs, offline=offline)
    status = 3 if report.errors else 0
    if as_json:
        emit(report.as_document(), status)
    else:
        for finding in report.findings:
            show(str(finding))
        if report.left_out:
            say(f"Nomad's own check was left out: {report.left_out}")
        say(
            f"{len(report.jobs)} jobs of {environment.name}: "
            + (f"{len(report.errors)} mistakes." if report.errors else "no mistakes.")
        )
    return status
