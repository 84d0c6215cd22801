"""`flowrexctl unlock`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.errors import UsageError
from generator.cli import context, question
from generator.cli.options import environment_options

if TYPE_CHECKING:
    from generator.unlock import How

_SAYS = {
    "nobody": "Nobody holds the lock of {}.",
    "gone": "The process is gone; the lock of {} is free.",
    "expired": "The lock of {} has gone by itself.",
    "forced": "The lock of {} was taken away. Look what that run has left: flowrexctl status {}",
}


@click.command("unlock")
@environment_options
@click.option("--force", is_flag=True, help="Take it from a holder that is still there.")
@click.option("--reason", metavar="TEXT", help="Why; it is recorded. --force needs it.")
@click.option("--confirm", metavar="ENV", help="With --force: the environment's name again.")
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    force: bool,
    reason: str | None,
    confirm: str | None,
) -> None:
    """Free ENV's deployment lock, where its holder can't any more.

    Says who holds it. A lock expires by itself when its holder dies, so that this is seldom needed:
    it is freed at once where the holder was a process of this machine and is gone; one of another
    machine is looked at for twice the lock's TTL. A holder that is still there is refused (exit 7).
    --force takes the lock from it, asks for the environment's name, and that run stops at its next
    step; what Nomad has begun goes on.

    \b
    Examples:
      flowrexctl unlock prod
      flowrexctl unlock prod --force --reason "its machine lost the network" --confirm prod
    """
    from flowrex.duration import seconds
    from generator import access, unlock
    from generator.watch import SystemClock

    if force and not reason:
        raise UsageError(
            "a lock is taken from its holder for a reason only",
            hint=f"flowrexctl unlock {environment_name} --force --reason TEXT",
        )
    environment = context.load_environment(environment_name, overrides)
    consul = access.consul(environment)
    held = unlock.look(consul, environment.name, seconds(environment.deploy.lock_ttl))
    how: How | None = None
    if held is not None:
        output.say(f"The lock is held by {held.holder}.")
        if force:
            _confirmed(environment.name, confirm)
            how = "forced"
        else:
            how = unlock.judge(consul, environment.name, held, SystemClock(), output.say)
        if how != "expired":
            why = reason or "its process is gone"
            unlock.take_away(consul, environment.name, held, how, why)
    if as_json:
        holder = None if held is None else held.as_document()
        output.emit({"environment": environment.name, "holder": holder, "how": how}, 0)
    else:
        output.show(_SAYS[how or "nobody"].format(environment.name, environment.name))


def _confirmed(environment: str, typed: str | None) -> None:
    if typed is None:
        output.say("Its run will stop where it is; what Nomad has begun goes on.")
        typed = question.typed(
            "Type the environment's name to take the lock away",
            alone="the environment's name is asked for, and there is nobody to ask",
            hint=f"flowrexctl unlock {environment} --force --reason TEXT --confirm {environment}",
        )
    if typed != environment:
        raise UsageError(f"the environment is not {typed!r}; nothing was changed")
