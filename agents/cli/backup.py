"""`flowrex-agent backup …`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.cli.options import config_option, json_option
from agents.cli.surroundings import surroundings
from flowrex.command.output import Progress, emit, interactive, say, show, table

if TYPE_CHECKING:
    from agents.backup.access import Access
    from agents.backup.work import Backups, Hands

_COLOURS = {"good": "green", "unverified": "yellow", "broken": "red", "unreadable": "red"}
_NAME = click.argument("name", default="newest")
_local = click.option(
    "--local", is_flag=True, help="Of the copies in backup.retention.local_dir, not of the store."
)


@click.group("backup")
def command() -> None:
    """Take, look at, verify, drill and restore logical backups.

    NAME is a backup's name, or `newest`. A backup counts as good only once it was read or restored
    and was right.

    \b
    Examples:
      flowrex-agent backup now
      flowrex-agent backup list
      flowrex-agent backup restore newest --yes-replace flowrex
    """


@command.command("now")
@click.option(
    "--reason",
    type=click.Choice(["manual", "pre_deploy", "emergency"]),
    default="manual",
    show_default=True,
    help="What for; the first part of its name.",
)
@config_option
@json_option
def now(reason: str, config: Path, as_json: bool) -> None:
    """Take a backup and read it again; leaves with 8 where one is being taken already."""
    with _at_hand(config) as (backups, hands):
        manifest = backups.take(reason, hands)
    assert manifest is not None
    if as_json:
        emit(manifest.document())
        return
    rows = sum(manifest.rows.values())
    show(
        f"{manifest.name} is good: {_mib(manifest.stored_size)} of "
        f"{_mib(manifest.files[0].plain_size)}, {rows} rows in {len(manifest.rows)} tables"
    )


@command.command("list")
@_local
@config_option
@json_option
def list_(local: bool, config: Path, as_json: bool) -> None:
    """List the backups, oldest first."""
    from agents.backup import view

    with _at_hand(config, local=local) as (backups, _):
        listing = backups.list()
    if as_json:
        emit([view.line(one) for one in listing.backups])
        return
    rows = [
        (
            one["name"],
            one["at"][:16].replace("T", " "),
            _mib(one["bytes"]),
            click.style(one["state"], fg=_COLOURS[one["state"]]),
            "held" if one["held"] else "",
            one["problem"] or "",
        )
        for one in map(view.line, listing.backups)
    ]
    show(table(rows, ("NAME", "AT (UTC)", "SIZE", "STATE", "HELD", "PROBLEM")))
    if listing.rests:
        say(f"{len(listing.rests)} never finished; `prune` removes what is left of them.")


@command.command("show")
@_NAME
@_local
@config_option
@json_option
def show_(name: str, local: bool, config: Path, as_json: bool) -> None:
    """Show all that is known of a backup."""
    from agents.backup import view

    with _at_hand(config, local=local) as (backups, _):
        backup = backups.list().find(name)
        document = view.whole(backup, backups.catalog.records(backup))
    if as_json:
        emit(document)
        return
    manifest = document["manifest"] or {}
    for label, value in (
        ("name", document["name"]),
        ("data of", document["at"]),
        ("state", document["state"]),
        ("held", "yes" if document["held"] else "no"),
        ("problem", document["problem"]),
        ("from", manifest.get("source")),
        ("PostgreSQL", manifest.get("server_version")),
        ("revision", manifest.get("schema_revision")),
        ("stored", _mib(document["bytes"])),
    ):
        if value:
            show(f"{label + ':':<12}{value}")
    for table_name, count in manifest.get("rows", {}).items():
        show(f"  {table_name}: {count} rows")
    for one in document["records"]:
        good = "" if one["good"] else " BAD"
        show(f"{one['at'][:19]} {one['kind']}{good} by {one['by']}: {one['text']}")


@command.command("verify")
@_NAME
@_local
@config_option
@json_option
def verify(name: str, local: bool, config: Path, as_json: bool) -> None:
    """Read every byte of a backup, check all checksums, and let pg_restore list it."""
    from agents.backup import view

    with _at_hand(config, local=local) as (backups, hands):
        name = backups.list().find(name).name
        record = view.record(backups.verify(name, hands))
    _told(name, record, as_json)


@command.command("drill")
@_NAME
@_local
@config_option
@json_option
def drill(name: str, local: bool, config: Path, as_json: bool) -> None:
    """Restore a backup into a scratch server and compare it with its manifest."""
    from agents.backup import view

    with _at_hand(config, local=local) as (backups, hands):
        name = backups.list().find(name).name
        record = view.record(backups.drill(name, hands))
    _told(name, record, as_json)


@command.command("export")
@click.argument("name")
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; it is not sealed any more, so put it where nobody else reads.",
)
@_local
@config_option
def export(name: str, target: Path, local: bool, config: Path) -> None:
    """Write a backup's dump, opened and checked, for pg_restore: to take one table out of it."""
    with _at_hand(config, local=local) as (backups, hands):
        size = backups.export(name, target, hands)
    show(f"{target} has {_mib(size)}; for example: pg_restore --table=orders {target}")


@command.command("hold")
@click.argument("name")
@click.option("--why", required=True, help="For those who find it held.")
@config_option
def hold(name: str, why: str, config: Path) -> None:
    """Keep a backup until it is released, whatever its age."""
    with _at_hand(config) as (backups, hands):
        backups.hold(name, why, hands)
    show(f"{name} is held")


@command.command("release")
@click.argument("name")
@click.option("--why", default="", help="For the record.")
@config_option
def release(name: str, why: str, config: Path) -> None:
    """Let retention have a held backup again."""
    with _at_hand(config) as (backups, hands):
        backups.release(name, why, hands)
    show(f"{name} is not held any more")


@command.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@config_option
@json_option
def prune(dry_run: bool, config: Path, as_json: bool) -> None:
    """Delete what retention lets go: never the last good one, never one that is held."""
    with _at_hand(config) as (backups, hands):
        done = backups.prune(hands, dry_run=dry_run)
    if as_json:
        emit(
            {
                "dry_run": dry_run,
                "decisions": [vars(one) for one in done.decisions],
                "deleted": done.deleted,
                "refused": dict(done.refused),
                "rests": done.rests,
            }
        )
        return
    for one in done.decisions:
        verb = "keep" if one.keep else ("would delete" if dry_run else "delete")
        show(f"{verb:<13}{one.name}: {one.reason}")
    for name, why in done.refused:
        say(f"{name} is kept by the store, and tried again later: {why}")


@command.command("restore")
@_NAME
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
@_local
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
    from agents.backup.restore import confirmed, loss

    with _at_hand(config, local=local) as (backups, hands):
        manifest = backups.catalog.read(backups.list().find(name).name)
        with backups.target(hands, _own(backups, user, passfile)) as target:
            lost = loss(manifest, target, backups.database)
            for sentence in lost.sentences(backups.now()):
                say(sentence)
            if dry_run:
                if as_json:
                    emit({"name": manifest.name, "loss": lost.document()})
                return
            confirmed(backups.database, _typed(backups.database, yes_replace))
            done = backups.restore(manifest.name, target, hands, migrate=shlex.split(migrate or ""))
    if as_json:
        emit({**done.document(), "loss": lost.document()})
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


def _told(name: str, record: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit({"name": name, **record})
    else:
        show(f"{name}: {record['text']}")


@contextmanager
def _at_hand(config: Path, *, local: bool = False) -> Iterator[tuple[Backups, Hands]]:
    """Give the backups of the configured database, with progress on a terminal."""
    from agents.backup.assemble import backups_of
    from agents.backup.work import Hands

    progress = Progress()
    try:
        backups = backups_of(surroundings(config))
        yield backups.local() if local else backups, Hands(say=progress, by=_me())
    finally:
        progress.clear()


def _me() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
