"""`flowrexctl promote`."""

from __future__ import annotations

import click

from generator.cli.changing import changing_options, finish, prepare, validator


@click.command("promote")
@changing_options
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    jobs: tuple[str, ...],
    reason: str | None,
    lock_wait: str | None,
) -> None:
    """Let the canary replace the old version.

    Health is judged at this moment, in Nomad and in Consul: a canary that is not healthy is waited
    for, up to the deadline. Where nothing waits any more, because somebody promoted it already,
    that is no error. A job whose last deployment failed is (exit 5). When all is promoted, it is
    looked at whether it works (`flowrexctl verify`); exit 5 where it does not.

    \b
    Examples:
      flowrexctl promote dev
      flowrexctl promote prod backend --lock-wait 1m
    """
    from generator.promote import promote

    with prepare(environment_name, overrides, jobs, lock_wait, reason, hooks_may_refuse=True) as (
        setup,
        names,
    ):
        outcomes = promote(setup, names, validator(setup))
    finish(setup, outcomes, as_json=as_json)
