"""`flowrexctl status`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from flowrex.command import output
from generator.cli import context
from generator.cli.options import environment_options

if TYPE_CHECKING:
    from generator.instances import Instance

_COLOURS = {
    "in service": "green",
    "ran": "green",
    "scheduled": "green",
    "canary": "yellow",
    "failed": "red",
}


@click.command("status")
@environment_options
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
def command(
    environment_name: str, overrides: tuple[str, ...], as_json: bool, jobs: tuple[str, ...]
) -> None:
    """Show what runs, what waits and what to type next.

    \b
    Examples:
      flowrexctl status dev
      flowrexctl status prod --json
    """
    from generator import access, status
    from generator.render import select

    environment = context.load_environment(environment_name, overrides)
    names = [job.name for job in select(environment, jobs)]
    found = status.read(
        environment.name, access.nomad(environment), access.consul(environment), names
    )
    if as_json:
        if found.unknown is not None:
            raise found.unknown
        output.emit(found.as_document(), 0)
        return
    rows = []
    for job in found.jobs:
        counts = job.counts
        healthy = f"{counts['healthy']}/{counts['desired']}"
        if counts["canaries"]:
            healthy += f" incl. {counts['canaries']} canary"
        current = job.current
        service = current is not None and current.type != "batch"
        rows.append(
            (
                job.name,
                click.style(job.state, fg=_COLOURS.get(job.state)),
                "-" if current is None else current.version,
                job.release or "-",
                healthy if service else "-",
                "-" if current is None else f"{current.submitted:%Y-%m-%d %H:%M:%S}",
            )
        )
    headers = ("JOB", "STATE", "VERSION", "RELEASE", "HEALTHY", "SUBMITTED (UTC)")
    output.show(output.table(rows, headers))
    if found.instances:
        output.show("")
        output.show(_instances(found.instances))
        output.show("")
    for sentence in status.sentences(found):
        output.show(sentence)
    if found.unknown is not None:
        raise found.unknown


def _instances(instances: Sequence[Instance]) -> str:
    rows = [
        (
            one.job + (" (canary)" if one.canary else ""),
            one.node,
            one.address,
            click.style("failing: " + ", ".join(one.failing), fg="red")
            if one.failing
            else click.style("passing", fg="green"),
        )
        for one in instances
    ]
    return output.table(rows, ("INSTANCE OF", "NODE", "ADDRESS", "CHECKS"))
