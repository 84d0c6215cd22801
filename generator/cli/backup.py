"""`flowrexctl backup`: what the nodes' agents have backed up, and what they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowrex.errors import UsageError
from generator.cli import backup_view as view
from generator.cli.asking import Asking, asks

if TYPE_CHECKING:
    from flowrex.node_requests import Answer, Kind

_BROKEN = 5
_SERVERS = ("vault", "consul", "nomad", "redis")

_name_argument = click.argument("name", metavar="[NAME]", default="newest")
_kind_option = click.option(
    "--kind",
    type=click.Choice(["logical", "physical", "snapshots"]),
    default="logical",
    show_default=True,
    help="Dumps of the database, pgBackRest's of the whole cluster, or the servers' snapshots.",
)
_of_option = click.option(
    "--of", "server", type=click.Choice(_SERVERS), help="Of snapshots: one server's only."
)


@click.group("backup")
def command() -> None:
    """Take, show, prove and keep backups of the database, and snapshots of the servers.

    The agents of the nodes do it; they are asked through Consul, and what they say on the way is
    shown. Ctrl-C leaves what has begun to go on.

    \b
    Exit status:
      0  done                          6  no agent took it, or a server is out of reach
      5  it failed, or is no good      7  the agent refuses
                                       8  another node is at it

    \b
    Examples:
      flowrexctl backup now prod
      flowrexctl backup now prod --kind physical --type full
      flowrexctl backup list prod
      flowrexctl backup verify prod
      flowrexctl backup drill prod --kind physical --to 2026-03-01T14:05:00+01:00
    """


@command.command("now")
@asks
@_kind_option
@click.option(
    "--type",
    "extent",
    type=click.Choice(["full", "diff", "incr"]),
    help="Of a physical one: all, what differs from the last full (if absent), or from the last.",
)
@_of_option
def now(asking: Asking, kind: str, extent: str | None, server: str | None) -> None:
    """Take a backup now.

    \b
    Examples:
      flowrexctl backup now prod
      flowrexctl backup now prod --kind physical --type full
      flowrexctl backup now prod --kind snapshots --of vault
      flowrexctl backup now prod --json | jq -r .result.name
    """
    _fits(kind, physical={"--type": extent}, snapshots={"--of": server})
    asked: dict[str, tuple[Kind, dict[str, str]]] = {
        "logical": ("backup", {"reason": "manual"}),
        "physical": ("physical_backup", {"type": extent or "diff"}),
        "snapshots": ("snapshot_take", _of(server)),
    }
    answer = asking.ask(*asked[kind])
    asking.finish(answer, view.taken(kind, answer.result))


@command.command("list")
@asks
@_kind_option
@_of_option
def list_(asking: Asking, kind: str, server: str | None) -> None:
    """List the backups, the newest last. Only `good` ones were read or restored, and were right.

    \b
    Examples:
      flowrexctl backup list prod
      flowrexctl backup list prod --kind physical
      flowrexctl backup list prod --json | jq '.result.backups[-1]'
    """
    _fits(kind, snapshots={"--of": server})
    asked: dict[str, Kind] = {
        "logical": "list",
        "physical": "physical_list",
        "snapshots": "snapshot_list",
    }
    answer = asking.ask(asked[kind], _of(server))
    asking.finish(answer, view.listed(kind, answer.result))


@command.command("show")
@asks
@_name_argument
def show(asking: Asking, name: str) -> None:
    """Show everything that is known of a backup of the database.

    \b
    Examples:
      flowrexctl backup show prod
      flowrexctl backup show prod scheduled_20260301_020000
    """
    answer = asking.ask("show", {"name": name})
    asking.finish(answer, view.shown(answer.result))


@command.command("verify")
@asks
@_name_argument
@_kind_option
@_of_option
def verify(asking: Asking, name: str, kind: str, server: str | None) -> int:
    """Read every byte of a backup again and compare it with its manifest. Exit status 5 if wrong.

    Physical backups build on each other, so that the whole repository is read.

    \b
    Examples:
      flowrexctl backup verify prod
      flowrexctl backup verify prod scheduled_20260301_020000
      flowrexctl backup verify prod --kind physical
      flowrexctl backup verify prod --kind snapshots
    """
    named = None if name == "newest" else name
    _fits(kind, logical={"NAME": named}, snapshots={"NAME": named, "--of": server})
    asked: dict[str, tuple[Kind, dict[str, str]]] = {
        "logical": ("verify", {"name": name}),
        "physical": ("physical_verify", {}),
        "snapshots": ("snapshot_verify", {"name": name, **_of(server)}),
    }
    return _judged(asking, asking.ask(*asked[kind]))


@command.command("drill")
@asks
@_name_argument
@click.option(
    "--kind",
    type=click.Choice(["logical", "physical"]),
    default="logical",
    show_default=True,
    help="A dump of the database, or the whole cluster from pgBackRest's backups.",
)
@click.option(
    "--to",
    metavar="TIME|LSN|NAME",
    help="Of physical ones: the moment; all that was archived, if absent.",
)
def drill(asking: Asking, name: str, kind: str, to: str | None) -> int:
    """Restore a backup into a scratch server, read all of it, and compare. Exit 5 if wrong.

    \b
    Examples:
      flowrexctl backup drill prod
      flowrexctl backup drill prod --kind physical
      flowrexctl backup drill prod --kind physical --to before-migration-42
    """
    named = None if name == "newest" else name
    _fits(kind, logical={"NAME": named}, physical={"--to": to})
    if kind == "physical":
        return _judged(asking, asking.ask("physical_drill", {"to": to or "end"}))
    return _judged(asking, asking.ask("drill", {"name": name}))


@command.command("hold")
@asks
@click.argument("name", metavar="NAME")
@click.option("--why", metavar="TEXT", required=True, help="Why it must stay; it is kept with it.")
def hold(asking: Asking, name: str, why: str) -> None:
    """Keep a backup for as long as it is held, whatever retention says.

    \b
    Examples:
      flowrexctl backup hold prod pre_deploy_20260301_120000 --why "case 17"
    """
    asking.finish(asking.ask("hold", {"name": name, "why": why}), f"{name} is held.")


@command.command("release")
@asks
@click.argument("name", metavar="NAME")
@click.option("--why", metavar="TEXT", required=True, help="Why it may go; it is kept with it.")
def release(asking: Asking, name: str, why: str) -> None:
    """Let retention have a backup again that was held.

    \b
    Examples:
      flowrexctl backup release prod pre_deploy_20260301_120000 --why "case 17 is closed"
    """
    asking.finish(asking.ask("release", {"name": name, "why": why}), f"{name} is held no more.")


@command.command("follow")
@asks
@click.argument("request", metavar="REQUEST")
def follow(asking: Asking, request: str) -> None:
    """Follow a request that somebody has stopped watching, to its end.

    \b
    Examples:
      flowrexctl backup follow prod 20260301T120000.000000Z-0a1b2c3d
    """
    from generator import node_requests

    desk = asking.desk()
    where, sent = node_requests.find(desk, request)
    answer = node_requests.follow(desk, asking.node or where, sent)
    asking.finish(answer, view.plain(answer.result))


def _of(server: str | None) -> dict[str, str]:
    return {} if server is None else {"of": server}


def _fits(kind: str, **options: dict[str, str | None]) -> None:
    """Insist that no option is given that another kind has."""
    for name in {name for fitting in options.values() for name in fitting}:
        kinds = [one for one, fitting in options.items() if name in fitting]
        given = next(options[one][name] for one in kinds)
        if given is not None and kind not in kinds:
            raise UsageError(f"{name} is for --kind {' and '.join(kinds)}, not for {kind}")


def _judged(asking: Asking, answer: Answer) -> int:
    status = 0 if answer.result.get("good") is True else _BROKEN
    asking.finish(answer, view.judged(answer.result), status)
    return status
