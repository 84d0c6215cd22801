"""`flowrex-agent snapshots`: what a cluster is rebuilt from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.options import config_option, json_option
from agents.cli.surroundings import surroundings
from flowrex.command.output import emit, interactive, say, show, table

if TYPE_CHECKING:
    from agents.snapshots.work import Snapshots

_KIND = click.argument("kind", type=click.Choice(["vault", "consul", "nomad", "redis"]))
_NAME = click.argument("name", default="newest")


@click.group("snapshots")
def command() -> None:
    """Take, look at, verify and restore snapshots of Vault, Consul, Nomad and Redis.

    NAME is a snapshot's name, or `newest`. docs/runbooks/rebuild-cluster.md has the order in which
    a lost cluster is rebuilt from them.

    \b
    Examples:
      flowrex-agent snapshots take consul
      flowrex-agent snapshots list vault
      flowrex-agent snapshots restore nomad newest --yes-replace nomad
    """


@command.command("take")
@_KIND
@config_option
@json_option
def take(kind: str, config: Path, as_json: bool) -> None:
    """Take a snapshot now, and read it again.

    \b
    Examples:
      flowrex-agent snapshots take vault
    """
    manifest = _at_hand(config).take(kind, "manual")
    assert manifest is not None
    if as_json:
        emit(manifest.document(), 0)
        return
    show(f"{manifest.name} of {kind} is good: {manifest.stored_size} bytes stored")


@command.command("list")
@_KIND
@config_option
@json_option
def list_(kind: str, config: Path, as_json: bool) -> None:
    """List the snapshots of a server, oldest first.

    \b
    Examples:
      flowrex-agent snapshots list consul
    """
    from agents.backup import view

    lines = [view.line(one) for one in _at_hand(config).list(kind).backups]
    if as_json:
        emit({"snapshots": lines}, 0)
        return
    rows = [
        (one["name"], one["at"][:16].replace("T", " "), one["bytes"], one["state"], one["problem"])
        for one in lines
    ]
    show(table(rows, ("NAME", "AT (UTC)", "BYTES", "STATE", "PROBLEM")))


@command.command("verify")
@_KIND
@_NAME
@config_option
def verify(kind: str, name: str, config: Path) -> None:
    """Read every byte of a snapshot, and look whether what is inside is whole.

    \b
    Examples:
      flowrex-agent snapshots verify vault newest
    """
    record = _at_hand(config).verify(kind, name)
    show(f"It is good: {record.text}.")


@command.command("fetch")
@_KIND
@_NAME
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder; the files in it are open, and for you alone.",
)
@config_option
def fetch(kind: str, name: str, into: Path, config: Path) -> None:
    """Write a snapshot's files, open, into a folder.

    \b
    Examples:
      flowrex-agent snapshots fetch redis newest --into /root/redis
    """
    for path in _at_hand(config).fetch(kind, name, into):
        show(str(path))


@command.command("restore")
@_KIND
@_NAME
@click.option("--yes-replace", metavar="KIND", help="Confirms it: the server's name once more.")
@config_option
def restore(kind: str, name: str, yes_replace: str | None, config: Path) -> None:
    """Put a snapshot back into its server, in the place of everything that it has.

    \b
    Examples:
      flowrex-agent snapshots restore consul newest --yes-replace consul
    """
    from flowrex.errors import UsageError

    snapshots = _at_hand(config)
    found = snapshots.list(kind).find(name)
    say(f"{found.name} of {kind}, from {found.at:%Y-%m-%d %H:%M:%S} UTC, replaces all that it has.")
    if yes_replace is None:
        if not interactive():
            raise UsageError(
                "a restore is confirmed by the server's name, and nobody can be asked",
                hint=f"--yes-replace {kind}",
            )
        yes_replace = click.prompt(f"Type {kind} to replace its state", err=True)
    if yes_replace != kind:
        raise UsageError(f"{yes_replace!r} is not {kind!r}; nothing was done")
    show(f"{found.name} is restored. {snapshots.restore(kind, found.name)}")


def _at_hand(config: Path) -> Snapshots:
    from agents.snapshots.work import Snapshots

    return Snapshots.of(surroundings(config))
