"""`flowrexctl drain`."""

from __future__ import annotations

import click

from flowrex.command import output
from flowrex.errors import UsageError
from generator.cli import question
from generator.cli.changing import lock_wait_option, prepare
from generator.cli.options import environment_options


@click.command("drain")
@environment_options
@click.argument("node", metavar="NODE")
@click.option("--end", is_flag=True, help="Let allocations come to it again.")
@click.option("--system", is_flag=True, help="End its part of system jobs, too.")
@click.option(
    "--deadline",
    metavar="DURATION",
    default="10m",
    show_default=True,
    help="Time after which what still runs there is stopped.",
)
@click.option("--reason", metavar="TEXT", help="Why; it is recorded.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@lock_wait_option
@click.pass_context
def command(
    ctx: click.Context,
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str,
    end: bool,
    system: bool,
    deadline: str,
    reason: str | None,
    yes: bool,
    lock_wait: str | None,
) -> None:
    """Empty NODE, by its name or its id, before somebody works on it.

    Nomad moves its allocations as each job asks for; this waits until what ran there passes its
    checks elsewhere. It is refused (exit 7) while a canary waits, which might be lost, and where no
    other node takes allocations. What does not get healthy elsewhere in time is told (exit 5). The
    node takes nothing until --end gives it back.

    \b
    Examples:
      flowrexctl drain prod node-3 --reason "new kernel"
      flowrexctl drain prod node-3 --deadline 30m --yes
      flowrexctl drain prod node-3 --end
    """
    from flowrex.duration import seconds
    from generator import drain
    from generator.setup import audited

    if end and (system or yes):
        raise UsageError("--end gives the node back, and takes neither --system nor --yes")
    with prepare(environment_name, overrides, (), lock_wait, reason) as (setup, names):
        found = drain.find(setup.nomad, node)
        if not end and not yes:
            question.confirm(
                f"Move everything away from {found.name}?",
                alone="a drain asks before it changes anything, and there is nobody to ask",
                hint=f"flowrexctl drain {environment_name} {found.name} --yes",
            )
        moved: dict[str, int] = {}
        verb = "drain --end" if end else "drain"
        with audited(setup, verb, reason or "", node=found.name) as (watch, came):
            if end:
                drain.give_back(watch, found, names)
            else:
                limit_s = round(seconds(deadline))
                done = drain.drain(watch, found, names, deadline_s=limit_s, system=system)
                came["moved"] = moved = dict(done.moved)
    if as_json:
        output.emit({"environment": environment_name, "node": found.name, "moved": moved}, 0)
