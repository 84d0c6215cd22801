"""`flowrex-agent backup restore`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.backups_at_hand import at_hand, local_option, name_argument
from agents.cli.options import config_option, json_option
from flowrex.command.output import emit, interactive, say, show

if TYPE_CHECKING:
    from agents.backup.access import Access
    from agents.backup.work import Backups


@click.command("restore")
@name_argument
@click.option(
    "--yes-replace", metavar="DATABASE", help="Do not ask: the name of the database to replace."
)
@click.option("--dry-run", is_flag=True, help="Say what would be lost, and restore nothing.")
@click.option("--migrate", metavar="COMMAND", help="Bring the schema up to date by this command.")
@click.option("--user", help="Restore as this PostgreSQL user instead of Vault's role `restore`.")
@click.option(
    "--passfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --user: a libpq password file.",
)
@local_option
@config_option
@json_option
def restore(
    name: str,
    yes_replace: str | None,
    dry_run: bool,
    migrate: str | None,
    user: str | None,
    passfile: Path | None,
    local: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Restore a backup in the place of the database.

    It is filled and compared beside the one in use, and takes its name in the end, in one
    transaction: what fails before that leaves everything as it was. The old database stays under
    the name DATABASE_before_TIME until you drop it. Stop what writes to it first.

    \b
    Examples:
      flowrex-agent backup restore --dry-run
      flowrex-agent backup restore scheduled_20260301_021500 --yes-replace flowrex
    """
    from agents.backup.loss import loss
    from agents.backup.restore import confirmed

    with at_hand(config, local=local) as (backups, hands):
        manifest = backups.catalog.read(backups.list().find(name).name)
        with backups.target(hands, _own(backups, user, passfile)) as target:
            lost = loss(manifest.snapshot_at, manifest.state, target, backups.database)
            for sentence in lost.sentences(backups.now()):
                say(sentence)
            if dry_run:
                if as_json:
                    emit({"name": manifest.name, "loss": lost.document()}, 0)
                return
            confirmed(backups.database, _typed(backups.database, yes_replace))
            done = backups.restore(manifest.name, target, hands, migrate=shlex.split(migrate or ""))
    if as_json:
        emit({**done.document(), "loss": lost.document()}, 0)
        return
    show(f"{done.database} is {done.name} now: {sum(done.rows.values())} rows, as it says")
    if done.kept_as:
        show(f"What was there before is {done.kept_as}; drop it once nobody misses it.")
    if done.note:
        say(done.note)


def _typed(database: str, given: str | None) -> str:
    if given is not None:
        return given
    if not interactive():
        return ""
    typed: str = click.prompt(
        f"Type the database's name, {database}, to replace it", default="", show_default=False,
        err=True,
    )  # fmt: skip
    return typed


def _own(backups: Backups, user: str | None, passfile: Path | None) -> Access | None:
    if user is None:
        return None
    from agents.backup.access import Access

    postgres = backups.settings.postgres
    return Access(user, passfile, postgres.sslmode, postgres.ca_file, postgres.bin_dir)
