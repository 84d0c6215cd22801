"""`flowrexctl fail`."""

from __future__ import annotations

import click

from generator.cli.changing import changing_options, finish, prepare


@click.command("fail")
@changing_options
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    jobs: tuple[str, ...],
    reason: str | None,
    lock_wait: str | None,
) -> None:
    """Give a canary up and go back to the stable version.

    Ends every deployment of ENV that is on its way, and waits until the stable version is in
    service again.

    \b
    Examples:
      flowrexctl fail dev
      flowrexctl fail prod backend
    """
    from generator.promote import give_up

    with prepare(environment_name, overrides, jobs, lock_wait, reason) as (setup, names):
        outcomes = give_up(setup, names)
    finish(setup, outcomes, as_json=as_json)
