"""`flowrexctl rollback`."""

from __future__ import annotations

import click

from generator.cli.changing import changing_options, finish, prepare


@click.command("rollback")
@changing_options
@click.option(
    "--to",
    metavar="VERSION|TAG",
    help="A Nomad version of the job, a version tag, or a release; the last healthy one if absent.",
)
def command(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    jobs: tuple[str, ...],
    reason: str | None,
    lock_wait: str | None,
    to: str | None,
) -> None:
    """Bring an earlier version back.

    Without --to: where a canary waits, it is given up; else the services that the last release
    changed go back to the last version that Nomad found healthy. The version that comes back
    passes through its own canary, is promoted when that is healthy, and is followed to the end.
    Batch jobs are not rolled back: a migration is undone by a new one. A version that is not known
    is an error (exit 2).

    \b
    Examples:
      flowrexctl rollback dev
      flowrexctl rollback prod --to 1.4.2
      flowrexctl rollback prod backend --to 17
    """
    from generator.rollback import rollback

    with prepare(environment_name, overrides, jobs, lock_wait, reason) as (setup, names):
        outcomes = rollback(setup, names, to=to, chosen=bool(jobs))
    finish(setup, outcomes, as_json=as_json)
