"""`flowrexctl logs`."""

from __future__ import annotations

import click

from flowrex.command import output
from generator.cli import context
from generator.cli.options import environment_options


@click.command("logs")
@environment_options
@click.argument("job")
@click.option("--alloc", metavar="ID", help="The allocation, by the beginning of its id.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@click.option("--stderr", is_flag=True, help="Standard error in place of standard output.")
@click.option(
    "--tail", type=click.IntRange(min=0), default=100, show_default=True, help="Lines; 0: all."
)
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    job: str,
    alloc: str | None,
    follow: bool,
    stderr: bool,
    tail: int,
) -> None:
    """Show a job's log.

    Of the newest allocation that runs, or of the newest one, unless --alloc names another; those
    of a job on a schedule are its starts'.
    With --json each line becomes one JSON document.

    \b
    Examples:
      flowrexctl logs dev backend -f
      flowrexctl logs prod backend --alloc 3fa8c2d1 --stderr --tail 500
    """
    from generator import access, logs, periodic
    from generator.render import select

    environment = context.load_environment(environment_name, overrides)
    name = select(environment, (job,))[0].name
    nomad = access.nomad(environment)
    current = nomad.jobs.find(name)
    scheduled = current is not None and current.periodic
    allocations = periodic.runs(nomad, name) if scheduled else nomad.allocations.of_job(name)
    allocation = logs.choose(allocations, name, alloc, environment.name)
    stream = "stderr" if stderr else "stdout"
    task = (
        name if name in allocation.tasks or not allocation.tasks else next(iter(allocation.tasks))
    )

    def show(line: str) -> None:
        if as_json:
            output.emit_line({"allocation": allocation.id, "stream": stream, "line": line})
        else:
            output.show(line)

    if not as_json:
        output.say(f"{name}, allocation {allocation.short_id}, {stream}:")
    # Followed from before the last lines are read: a line may come twice, none is lost.
    pieces = nomad.allocations.follow(allocation.id, task, stream=stream) if follow else iter(())
    for line in logs.last_lines(nomad, allocation, task, stream=stream, count=tail):
        show(line)
    for line in logs.lines_from(pieces):
        show(line)
