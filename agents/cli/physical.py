"""`flowrex-agent physical`: pgBackRest's backups and its archive, on the node of the primary."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.options import config_option, json_option
from agents.cli.physical_restore import restore
from agents.cli.surroundings import surroundings
from flowrex.command.output import emit, say, show, table

if TYPE_CHECKING:
    from agents.physical.stanza import Stanza
    from flowrex.pgbackrest import BackupType


@click.group("physical")
def command() -> None:
    """Take physical backups, look at the archive, and restore to any moment.

    The running agent does all but the restore by itself. Each verb is for the user that may read
    pgbackrest.conf: the agent's, or PostgreSQL's.

    \b
    Examples:
      flowrex-agent physical list
      flowrex-agent physical backup full
      flowrex-agent physical restore --to 2026-03-01T14:05:00+01:00 --into /srv/scratch
    """


command.add_command(restore)


@command.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """List the backups, oldest first, and the WAL that is archived.

    \b
    Examples:
      flowrex-agent physical list
      flowrex-agent physical list --json
    """
    found = asyncio.run(cluster(config).repository())
    if as_json:
        emit(
            {
                "exists": found.exists,
                "problem": found.problem,
                "oldest_wal": found.oldest_wal,
                "newest_wal": found.newest_wal,
                "backups": [backup.as_document() for backup in found.backups],
            },
            0,
        )
        return
    rows = [
        (
            backup.label,
            backup.kind,
            f"{backup.stopped:%Y-%m-%d %H:%M:%S}",
            f"{backup.size >> 20} MiB",
            f"{backup.stored >> 20} MiB",
            click.style("wrong pages", fg="red") if backup.error else backup.hold or "-",
        )
        for backup in found.backups
    ]
    if rows:
        show(table(rows, ("BACKUP", "TYPE", "ENDED (UTC)", "SIZE", "STORED", "HELD FOR")))
    say(
        f"WAL from {found.oldest_wal} to {found.newest_wal}."
        if found.newest_wal
        else "There is no archived WAL."
    )
    if found.problem:
        say(click.style(f"pgBackRest says: {found.problem}", fg="red"))


@command.command("backup")
@click.argument("kind", type=click.Choice(["full", "diff", "incr"]))
@click.option(
    "--no-lock",
    is_flag=True,
    help="Do not ask Consul whether another node is at it: for a node that has no Consul.",
)
@config_option
@json_option
def backup(kind: BackupType, no_lock: bool, config: Path, as_json: bool) -> None:
    """Take a backup now: full, diff (since the last full) or incr (since the last of any kind).

    Where another node, or the running agent, is at it, that is waited for a little; then it leaves
    with 8.

    \b
    Examples:
      flowrex-agent physical backup full
      flowrex-agent physical backup diff --json
    """
    stanza = cluster(config)
    say(f"taking a {kind} backup of {stanza.settings.data_dir}")
    asyncio.run(_backup(config, stanza, kind, no_lock=no_lock))
    newest = asyncio.run(stanza.repository()).newest
    assert newest is not None  # it was just taken
    if as_json:
        emit(newest.as_document(), 0)
        return
    show(f"{newest.label}: {newest.size >> 20} MiB, {newest.stored >> 20} MiB in the store.")


async def _backup(config: Path, stanza: Stanza, kind: BackupType, *, no_lock: bool) -> None:
    from agents.lock import DEAD_S
    from agents.physical import alone
    from flowrex import keys

    if no_lock:
        await stanza.backup(kind, reason="manual")
        return
    here, subject = surroundings(config), f"the stanza {stanza.name}"
    key = keys.physical_lock(stanza.name)
    async with alone.held(
        here.consul,
        key,
        subject,
        here.node,
        f"{kind} backup",
        # The one who was killed here a moment ago may have left it.
        wait_s=DEAD_S,
        waiting=say,
    ) as held:
        await alone.watched(stanza.backup(kind, reason="manual"), held.check)


@command.command("check")
@config_option
def check(config: Path) -> None:
    """Send a WAL segment all the way, and look for it in the archive.

    \b
    Examples:
      flowrex-agent physical check
    """
    asyncio.run(cluster(config).check())
    show("A segment was sent by PostgreSQL's archive_command and is in the archive.")


@command.command("verify")
@config_option
@json_option
def verify(config: Path, as_json: bool) -> int:
    """Read every byte of the repository; leaves with 6 where a checksum is wrong.

    \b
    Examples:
      flowrex-agent physical verify
    """
    from flowrex.errors import ServerRefused

    found = asyncio.run(cluster(config).verify())
    if as_json:
        status = 0 if found.good else ServerRefused.exit_status
        emit({"good": found.good, "problems": list(found.problems)}, status)
        return status
    if not found.good:
        raise ServerRefused(
            f"the repository is damaged: {'; '.join(found.problems)}",
            hint="Take a full backup now; what is damaged can't be restored.",
        )
    show("Every byte of every backup and of the WAL is right.")
    return 0


@command.command("expire")
@config_option
def expire(config: Path) -> None:
    """Show what would be deleted; the running agent deletes it, once all is verified.

    \b
    Examples:
      flowrex-agent physical expire
    """
    show(asyncio.run(cluster(config).expire(dry_run=True)))


@command.command("hold")
@click.argument("label")
@click.option("--reason", required=True, help="Why it must stay.")
@config_option
def hold(label: str, reason: str, config: Path) -> None:
    """Keep a backup. While one is held none expires: pgBackRest can't leave one out.

    \b
    Examples:
      flowrex-agent physical hold 20260301-023000F --reason "audit of March"
    """
    asyncio.run(cluster(config).hold(label, reason))
    show(f"{label} is held: {reason}")


@command.command("release")
@click.argument("label")
@config_option
def release(label: str, config: Path) -> None:
    """Let a backup expire in its time.

    \b
    Examples:
      flowrex-agent physical release 20260301-023000F
    """
    asyncio.run(cluster(config).hold(label, None))
    show(f"{label} is not held any more.")


@command.command("mark")
@click.argument("name")
@config_option
@json_option
def mark(name: str, config: Path, as_json: bool) -> None:
    """Name this moment, so that `restore --to NAME` finds it.

    \b
    Examples:
      flowrex-agent physical mark before-migration-42
    """
    position = asyncio.run(cluster(config).mark(name))
    if as_json:
        emit({"name": name, "lsn": position}, 0)
        return
    show(f"{name} is at {position}")


@command.command("configure")
@config_option
def configure(config: Path) -> None:
    """Write pgbackrest.conf, as the running agent does: for a bare node, before a restore.

    \b
    Examples:
      flowrex-agent physical configure
    """
    from agents.credentials.files import Files
    from agents.physical import keys

    here = surroundings(config)
    stanza = cluster(config)
    files = Files.of(os.environ, here.settings.credentials_dir)
    changed = stanza.configure(keys.find(here.settings, files, here.vault))
    show(f"{stanza.config} " + ("was written." if changed else "is right already."))


@command.command("archive-command")
@config_option
def archive_command(config: Path) -> None:
    """Print what PostgreSQL's archive_command has to be.

    \b
    Examples:
      flowrex-agent physical archive-command
    """
    show(cluster(config).archive_command())


def cluster(config: Path) -> Stanza:
    """Return the cluster of a node's configuration.

    Raises:
        ConfigurationError: physical backups are switched off on this node.
    """
    from agents.physical.stanza import Stanza
    from agents.settings import load
    from flowrex.errors import ConfigurationError

    settings = load(config)
    if not settings.physical.enabled:
        raise ConfigurationError(
            "physical backups are switched off on this node",
            path=config,
            hint="Set physical.enabled to true on the node that has the PostgreSQL primary.",
        )
    return Stanza(settings)
