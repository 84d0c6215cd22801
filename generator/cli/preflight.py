"""`flowrexctl preflight`."""

from __future__ import annotations

import click

from flowrex.command import output
from flowrex.errors import HardStop
from generator.cli import context
from generator.cli.checks_view import table
from generator.cli.options import environment_options

override_option = click.option(
    "--override",
    "overrides_of_stops",
    metavar="STOP",
    multiple=True,
    help="Let a hard stop not stop, where ENV allows that; it needs a reason. May be repeated.",
)


@click.command("preflight")
@environment_options
@override_option
@click.option("--reason", metavar="TEXT", help="Why a stop is overridden.")
@click.option("--verbose", is_flag=True, help="Show what was looked at, also where it passed.")
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    overrides_of_stops: tuple[str, ...],
    reason: str | None,
    verbose: bool,
) -> int:
    """Look at the hard stops: would a run of ENV be let through?

    `flowrexctl run` looks at the same and changes nothing where one of them stops. What can't be
    looked at stops as well. Which stops there are, and how each is looked at: docs/hard-stops.md.

    \b
    Exit status:
      0  a run would be let through
      2  there is no such stop, or no reason for an override
      7  a stop holds, or may not be overridden

    \b
    Examples:
      flowrexctl preflight prod
      flowrexctl preflight prod --verbose
      flowrexctl preflight prod --override monitoring --reason "Prometheus is being moved"
      flowrexctl preflight staging --json | jq '.stops[] | select(.verdict != "passed")'
    """
    from generator import access
    from generator.checks import edges
    from generator.preflight import stops
    from generator.render import render_jobs

    environment = context.load_environment(environment_name, overrides)
    stops.check_overrides(environment.preflight, overrides_of_stops, reason)
    root = context.project_root()
    jobs = render_jobs(environment, root)
    ground = edges.ground(
        environment, root, jobs, access.nomad(environment), access.consul(environment)
    )
    progress = output.Progress()
    looked = stops.look(ground, overrides_of_stops, tell=lambda name: progress(f"looked at {name}"))
    progress.clear()
    status = HardStop.exit_status if any(one.stops for one in looked) else 0
    if as_json:
        output.emit(
            {
                "environment": environment.name,
                "revision": ground.revision(),
                "stops": [{"stop": one.check.name, **one.as_document()} for one in looked],
            },
            status,
        )
    else:
        output.show(table(looked, "STOP", verbose=verbose))
    return status
