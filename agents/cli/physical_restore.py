"""`flowrex-agent physical restore`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.options import config_option, json_option
from flowrex.command.output import emit, interactive, say, show

if TYPE_CHECKING:
    from agents.physical.restore import Plan


@click.command("restore")
@click.option(
    "--to",
    "to",
    required=True,
    metavar="TIME|LSN|NAME",
    help="A time with its zone, an LSN, a restore point's name, `end` or `immediate`.",
)
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Another folder, which must be empty or not there: the running cluster stays as it is.",
)
@click.option("--in-place", is_flag=True, help="The cluster's own folder; PostgreSQL is stopped.")
@click.option("--set", "label", metavar="BACKUP", help="The backup to begin from.")
@click.option("--timeline", metavar="latest|current|N", help="The timeline to follow.")
@click.option("--database", "confirmed", metavar="NAME", help="Confirms it: the database's name.")
@config_option
@json_option
def restore(
    to: str,
    into: Path | None,
    in_place: bool,
    label: str | None,
    timeline: str | None,
    confirmed: str | None,
    config: Path,
    as_json: bool,
) -> None:
    """Restore the whole cluster to a moment, from the newest backup before it and the WAL since.

    What comes out is a data folder. PostgreSQL replays the WAL when it is started, and opens for
    writing at the moment, on a new timeline.

    \b
    Examples:
      flowrex-agent physical restore --to 2026-03-01T14:05:00+01:00 --into /srv/scratch
      flowrex-agent physical restore --to before-migration-42 --in-place
      flowrex-agent physical restore --to 0/5000060 --in-place --database flowrex
    """
    from agents.cli.physical import cluster
    from agents.physical import restore as restoring
    from agents.physical import run, target
    from flowrex.duration import seconds
    from flowrex.errors import UsageError

    if (into is None) is not in_place:
        raise UsageError("say where to: --into FOLDER, or --in-place", hint="One of the two.")
    stanza = cluster(config)
    plan = restoring.plan(
        asyncio.run(stanza.repository()),
        target.parse(to, now=datetime.now(UTC)),
        config=stanza.config,
        stanza=stanza.name,
        own_data=Path(stanza.settings.data_dir),
        into=into,
        database=stanza.settings.database,
        label=label,
        timeline=timeline,
    )
    for sentence in plan.sentences():
        say(sentence)
    restoring.prepare(plan)
    if plan.in_place:
        _confirm(plan, confirmed)
    asyncio.run(run.run(plan.argv, limit_s=seconds(stanza.settings.limit)))
    if as_json:
        emit(
            {
                "backup": plan.backup.label,
                "target": str(plan.target),
                "data": str(plan.data),
                "in_place": plan.in_place,
            },
            0,
        )
        return
    show(f"{plan.data} is restored. PostgreSQL replays the WAL when it is started:")
    for line in restoring.next_steps(plan):
        show(f"  {line}")


def _confirm(plan: Plan, confirmed: str | None) -> None:
    from flowrex.errors import UsageError

    if confirmed is None:
        if not interactive():
            raise UsageError(
                "a restore in place is confirmed by the database's name, and nobody can be asked",
                hint=f"--database {plan.database}",
            )
        confirmed = click.prompt(f"Type {plan.database} to restore it in place", err=True)
    if confirmed != plan.database:
        raise UsageError(f"{confirmed!r} is not {plan.database!r}; nothing was done")
