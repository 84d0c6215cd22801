"""`flowrexctl restore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.errors import UsageError
from generator.cli import context, question
from generator.cli.changing import lock_wait_option
from generator.cli.options import environment_options
from generator.cli.telling import Teller

if TYPE_CHECKING:
    from flowrex.node_requests import Answer
    from generator.environment import Environment
    from generator.node_requests import Desk
    from generator.restore.progress import Source
    from generator.restore.wish import Wish
    from generator.setup import Setup


@click.command("restore")
@environment_options
@click.option(
    "--to",
    metavar="NAME|TIME|LSN",
    help="A backup; a time (ISO 8601, with its zone), an LSN, the name of a moment, or `end`. The "
    "newest good backup if absent.",
)
@click.option(
    "--kind",
    "source",
    type=click.Choice(["logical", "physical"]),
    help="From a dump, or from physical backups; the most exact that reaches it, if absent.",
)
@click.option("--migrate", is_flag=True, help="Run the deployed version's migrations afterwards.")
@click.option(
    "--database", metavar="NAME", help="Do not ask: the name of the database that is replaced."
)
@click.option("--node", metavar="NODE", help="Whose agent restores; the first that can, if absent.")
@click.option("--resume", is_flag=True, help="Go on with a restore that was cut off.")
@click.option(
    "--abandon", is_flag=True, help="Start the jobs again and forget a restore that was cut off."
)
@lock_wait_option
@click.pass_context
def command(
    ctx: click.Context,
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    to: str | None,
    source: Source | None,
    migrate: bool,
    database: str | None,
    node: str | None,
    resume: bool,
    abandon: bool,
    lock_wait: str | None,
) -> None:
    """Bring the database back as it was: at a moment, or when a backup was taken.

    Says what will be lost and asks for the database's name. Under the deployment lock it stops the
    jobs that use the database, lets a node's agent restore, and starts the jobs again at the
    versions that ran, until they are in service. The agent restores beside the database in use
    and compares before it takes its place; the old one stays under another name.

    A moment is restored exactly where an agent has physical backups of it: the cluster is recovered
    beside the running one, and the database taken from there. Elsewhere a time means the newest
    good dump from before it. What is used is said before anything is asked.

    Where it is cut off, by Ctrl-C or `kill -9`, how far it came is kept: --resume goes on from
    there, --abandon starts the jobs again on the database as it is.

    \b
    Exit status:
      0  restored, and the jobs are in service     6  no agent took it, or a server is away
      2  usage, or the wrong name                  7  the agent refuses; nothing was changed
      5  it failed, or a job did not come back     8  the lock is held

    \b
    Examples:
      flowrexctl restore prod
      flowrexctl restore prod --to 2026-03-01T14:05:00+01:00
      flowrexctl restore prod --to before-migration-42
      flowrexctl restore prod --to 2026-03-01T12:00:00Z --kind logical
      flowrexctl restore staging --to pre_deploy_20260301_120000 --migrate --database flowrex
      flowrexctl restore prod --resume
    """
    from generator.restore import run, wish

    if (resume or abandon) and (to or source or migrate or node or (resume and abandon)):
        raise UsageError("--resume and --abandon go on with what was begun, and take nothing else")
    environment = context.load_environment(environment_name, overrides)
    desk = _desk(environment)
    teller = Teller()
    setup = _setup(environment, teller, lock_wait)
    try:
        if abandon:
            found = run.abandon(setup)
            _told_abandoned(environment.name, found.jobs, as_json=as_json)
            return
        if resume:
            answer = run.resume(setup, desk)
        else:
            wished = wish.prepare(
                desk, environment.postgres.database, to=to, node=node, source=source
            )
            _confirm(environment, wished, database)
            answer = run.restore(setup, desk, wished, migrate=migrate)
    finally:
        teller.clear()
    _finish(environment.name, answer, as_json=as_json)


def _confirm(environment: Environment, wish: Wish, database: str | None) -> None:
    output.say(f"{wish.backup} → database {wish.database} of {environment.name}, by {wish.node}")
    for sentence in wish.sentences:
        output.say(sentence)
    output.say("While it runs, backend and worker are stopped.")
    if database is None:
        database = question.typed(
            "Type the database's name to restore it",
            alone="a restore asks for the database's name, and there is nobody to ask",
            hint=f"flowrexctl restore {environment.name} --kind {wish.source} "
            f"--to '{wish.backup}' --database NAME",
        )
    if database != wish.database:
        raise UsageError(
            f"the database is not {database!r}; nothing was changed",
            hint="It is the one in the environment's postgres.database.",
        )


def _desk(environment: Environment) -> Desk:
    from generator import access
    from generator.node_requests import Desk

    return Desk(environment.name, access.consul(environment), output.say)


def _setup(environment: Environment, teller: Teller, lock_wait: str | None) -> Setup:
    from flowrex.duration import seconds
    from generator import access
    from generator.setup import Setup

    return Setup(
        environment,
        access.nomad(environment),
        access.consul(environment),
        teller,
        seconds(lock_wait or environment.deploy.lock_wait),
    )


def _finish(environment: str, answer: Answer, *, as_json: bool) -> None:
    if as_json:
        output.emit(
            {
                "environment": environment,
                "request": answer.id,
                "result": dict(answer.result),
            },
            0,
        )
        return
    kept = answer.result.get("kept_as")
    what = answer.result.get("to") or answer.result.get("name")
    output.show(f"{what} is restored, and the jobs are in service.")
    if kept:
        output.show(f"The database as it was is kept as {kept}, until somebody drops it.")
    if note := answer.result.get("note"):
        output.say(str(note))


def _told_abandoned(environment: str, jobs: object, *, as_json: bool) -> None:
    if as_json:
        output.emit({"environment": environment, "started": jobs}, 0)
        return
    output.show("The jobs run again, and the restore is forgotten.")
