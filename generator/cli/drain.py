"""`flowrexctl drain`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from flowrex.command import output
from flowrex.command.verbs import INTERRUPTED
from flowrex.errors import FlowrexError, UsageError
from generator.cli import question
from generator.cli.changing import lock_wait_option, prepare
from generator.cli.options import environment_options, is_duration


@click.command("drain")
@environment_options
@click.argument("node", metavar="NODE")
@click.option("--end", is_flag=True, help="Let allocations come to it again.")
@click.option("--system", is_flag=True, help="End its part of system jobs, too.")
@click.option(
    "--deadline",
    metavar="DURATION",
    callback=is_duration,
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
    node takes nothing until --end gives it back, also after Ctrl-C.

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
        try:
            with audited(setup, verb, reason or "", node=found.name) as (watch, came):
                if end:
                    drain.give_back(watch, found, names)
                else:
                    limit_s = round(seconds(deadline))
                    done = drain.drain(watch, found, names, deadline_s=limit_s, system=system)
                    came["moved"] = moved = dict(done.moved)
        except drain.Interrupted as error:
            raise _interrupted(environment_name, overrides, node) from error
    if as_json:
        output.emit({"environment": environment_name, "node": found.name, "moved": moved}, 0)


def _interrupted(environment: str, overrides: Sequence[str], node: str) -> FlowrexError:
    settings = [part for one in overrides for part in ("--set", one)]
    back = shlex.join(["flowrexctl", "drain", environment, node, *settings, "--end"])
    error = FlowrexError(
        f"interrupted: Nomad goes on with emptying {node}, which takes no allocations",
        hint=f"Give it back: {back}",
    )
    error.exit_status = INTERRUPTED
    return error
