"""`flowrex-agent backup …`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agents.cli.backup_restore import restore
from agents.cli.backups_at_hand import at_hand, local_option, mib, name_argument
from agents.cli.options import config_option, json_option
from flowrex.command.output import emit, say, show, table

_COLOURS = {"good": "green", "unverified": "yellow", "broken": "red", "unreadable": "red"}


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


command.add_command(restore)


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
    with at_hand(config) as (backups, hands):
        manifest = backups.take(reason, hands)
    assert manifest is not None
    if as_json:
        emit(manifest.document(), 0)
        return
    rows = sum(manifest.rows.values())
    show(
        f"{manifest.name} is good: {mib(manifest.stored_size)} of "
        f"{mib(manifest.files[0].plain_size)}, {rows} rows in {len(manifest.rows)} tables"
    )


@command.command("list")
@local_option
@config_option
@json_option
def list_(local: bool, config: Path, as_json: bool) -> None:
    """List the backups, oldest first."""
    from agents.backup import view

    with at_hand(config, local=local) as (backups, _):
        listing = backups.list()
    if as_json:
        emit({"backups": [view.line(one) for one in listing.backups]}, 0)
        return
    rows = [
        (
            one["name"],
            one["at"][:16].replace("T", " "),
            mib(one["bytes"]),
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
@name_argument
@local_option
@config_option
@json_option
def show_(name: str, local: bool, config: Path, as_json: bool) -> None:
    """Show all that is known of a backup."""
    from agents.backup import view

    with at_hand(config, local=local) as (backups, _):
        backup = backups.list().find(name)
        document = view.whole(backup, backups.catalog.records(backup))
    if as_json:
        emit(document, 0)
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
        ("stored", mib(document["bytes"])),
    ):
        if value:
            show(f"{label + ':':<12}{value}")
    for table_name, count in manifest.get("rows", {}).items():
        show(f"  {table_name}: {count} rows")
    for one in document["records"]:
        good = "" if one["good"] else " BAD"
        show(f"{one['at'][:19]} {one['kind']}{good} by {one['by']}: {one['text']}")


@command.command("verify")
@name_argument
@local_option
@config_option
@json_option
def verify(name: str, local: bool, config: Path, as_json: bool) -> None:
    """Read every byte of a backup, check all checksums, and let pg_restore list it."""
    from agents.backup import view

    with at_hand(config, local=local) as (backups, hands):
        name = backups.list().find(name).name
        record = view.record(backups.verify(name, hands))
    _told(name, record, as_json)


@command.command("drill")
@name_argument
@local_option
@config_option
@json_option
def drill(name: str, local: bool, config: Path, as_json: bool) -> None:
    """Restore a backup into a scratch server and compare it with its manifest."""
    from agents.backup import view

    with at_hand(config, local=local) as (backups, hands):
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
@local_option
@config_option
def export(name: str, target: Path, local: bool, config: Path) -> None:
    """Write a backup's dump, opened and checked, for pg_restore: to take one table out of it."""
    with at_hand(config, local=local) as (backups, hands):
        size = backups.export(name, target, hands)
    show(f"{target} has {mib(size)}; for example: pg_restore --table=orders {target}")


@command.command("hold")
@click.argument("name")
@click.option("--why", required=True, help="For those who find it held.")
@config_option
def hold(name: str, why: str, config: Path) -> None:
    """Keep a backup until it is released, whatever its age."""
    with at_hand(config) as (backups, hands):
        backups.hold(name, why, hands)
    show(f"{name} is held")


@command.command("release")
@click.argument("name")
@click.option("--why", default="", help="For the record.")
@config_option
def release(name: str, why: str, config: Path) -> None:
    """Let retention have a held backup again."""
    with at_hand(config) as (backups, hands):
        backups.release(name, why, hands)
    show(f"{name} is not held any more")


@command.command("prune")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@config_option
@json_option
def prune(dry_run: bool, config: Path, as_json: bool) -> None:
    """Delete what retention lets go: never the last good one, never one that is held."""
    with at_hand(config) as (backups, hands):
        done = backups.prune(hands, dry_run=dry_run)
    if as_json:
        emit(
            {
                "dry_run": dry_run,
                "decisions": [vars(one) for one in done.decisions],
                "deleted": done.deleted,
                "refused": dict(done.refused),
                "rests": done.rests,
            },
            0,
        )
        return
    for one in done.decisions:
        verb = "keep" if one.keep else ("would delete" if dry_run else "delete")
        show(f"{verb:<13}{one.name}: {one.reason}")
    for name, why in done.refused:
        say(f"{name} is kept by the store, and tried again later: {why}")


def _told(name: str, record: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit({"name": name, **record}, 0)
    else:
        show(f"{name}: {record['text']}")
