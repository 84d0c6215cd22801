"""`flowrexctl dev`: the real servers on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING

import click

from flowrex.command.output import emit, emit_line, say, show, table
from flowrex.errors import ServerUnreachable
from generator.cli import question
from generator.cli.dev_setup import setup
from generator.cli.dev_status import status
from generator.cli.options import json_option
from generator.dev.settings import Settings, read

if TYPE_CHECKING:
    from generator.dev.down import Removed
    from generator.dev.servers import Binary


@click.group("dev")
def command() -> None:
    """Run the real servers on this machine.

    Nomad, Consul, Vault, PostgreSQL with a replica, Redis and an S3 gateway, on loopback, with
    their access control on.

    \b
    Examples:
      flowrexctl dev up
      flowrexctl dev status
      flowrexctl dev down

    \b
    Settings (environment variables):
      FLOWREX_DEV_DIR        the cluster's folder
      FLOWREX_DEV_PORT_BASE  the first of its 2000 ports (20000)
      FLOWREX_DEV_DOCKER     what runs containers there: unix:///run/podman/podman.sock
      FLOWREX_CACHE_DIR      where the servers' programs are kept
    """


@command.command("up")
@click.option("--nodes", type=int, metavar="N", help="Nodes, 1 to 3; as many as now, else 1.")
@click.option(
    "--servers",
    type=int,
    metavar="N",
    help="Nodes with a server of Consul and one of Nomad, 1 or 3; as many as now, else 1.",
)
@json_option
def up(nodes: int | None, servers: int | None, as_json: bool) -> None:
    """Start the cluster, or repair it; what runs well is left alone.

    \b
    Examples:
      flowrexctl dev up
      flowrexctl dev up --nodes 2
      flowrexctl dev up --servers 3
      FLOWREX_DEV_DIR=/tmp/two FLOWREX_DEV_PORT_BASE=24000 flowrexctl dev up
    """
    from generator.cli.context import project_root
    from generator.dev import up as rise

    settings = _settings()
    begin = time.monotonic()
    result = rise.up(
        settings,
        project_root(),
        nodes=nodes,
        servers=servers,
        find=_finder(settings),
        tell=say,
    )
    seconds = round(time.monotonic() - begin, 1)
    if as_json:
        emit(
            {
                "root": str(settings.root),
                "base": result.layout.base,
                "nodes": result.layout.node_count,
                "seconds": seconds,
                "servers": [vars(server) for server in result.servers],
                "configured": result.configured,
            },
            0,
        )
        return
    if all(server.action == "kept" for server in result.servers) and result.configured is None:
        show(f"Everything runs already ({seconds:.1f} s).")
    else:
        rows = [(one.name, one.action, f"{one.seconds:.1f} s") for one in result.servers]
        show(table(rows, ("SERVER", "WAS", "READY AFTER")))
        show(f"\nThe cluster is up ({seconds:.1f} s): {settings.root}")
    show('Next: flowrexctl run dev, or eval "$(flowrexctl dev env)" for nomad, consul and vault.')


@command.command("down")
@json_option
def down(as_json: bool) -> None:
    """Stop everything and leave nothing behind, also after a crash; the data stays.

    \b
    Examples:
      flowrexctl dev down
    """
    from generator.dev import down as fall

    _report(fall.down(_settings(), tell=say), as_json, "The cluster is down; its data is kept.")


@command.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def reset(yes: bool, as_json: bool) -> None:
    """Stop everything and delete all data.

    \b
    Examples:
      flowrexctl dev reset
      flowrexctl dev reset --yes
    """
    from generator.dev import down as fall

    settings = _settings()
    if not yes:
        question.confirm(
            f"Delete all data in {settings.root}?",
            alone=f"this deletes all data in {settings.root}, and nobody can be asked",
            hint="Add --yes where that is meant.",
        )
    _report(fall.reset(settings, tell=say), as_json, "The cluster is down and its data deleted.")


@command.command("logs")
@click.argument("server", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows.")
@click.option("-n", "--lines", default=40, show_default=True, help="Lines from the end.")
@json_option
def logs(server: str | None, follow: bool, lines: int, as_json: bool) -> None:
    """Show a server's log, or name the logs that there are.

    \b
    Examples:
      flowrexctl dev logs
      flowrexctl dev logs nomad-1 -f
    """
    from generator.dev import logs as journal

    folder = _settings().root / "logs"
    if server is None:
        found = journal.names(folder)
        if as_json:
            known = [{"server": name, "log": str(folder / f"{name}.log")} for name in found]
            emit({"logs": known}, 0)
        else:
            show("\n".join(found))
        return
    path = journal.find(folder, server)
    last = journal.last_lines(path, lines)
    if as_json and not follow:
        emit({"server": server, "log": str(path), "lines": last}, 0)
        return
    for line in chain(last, journal.follow(path) if follow else ()):
        if as_json:
            emit_line({"server": server, "line": line})
        else:
            show(line)


@command.command("env")
@json_option
def env(as_json: bool) -> None:
    """Print the addresses and your tokens for nomad, consul and vault.

    \b
    Examples:
      eval "$(flowrexctl dev env)" && nomad status
    """
    from generator.dev import access, state

    settings = _settings()
    known = state.load(settings.root)
    if known is None:
        raise ServerUnreachable(
            f"there is no cluster in {settings.root}", hint="`flowrexctl dev up` makes one."
        )
    values = access.environment(known.layout)
    if as_json:
        emit(values, 0)
    else:
        show(access.exports(values))


@command.command("servers")
@json_option
def servers(as_json: bool) -> None:
    """Show the servers' programs: version, path, and where each came from.

    \b
    Examples:
      flowrexctl dev servers
    """
    from generator.dev import servers as programs
    from generator.dev import up as rise

    found = programs.inspect(rise.BINARIES, cache=_settings().cache, environ=os.environ)
    documents = [entry.as_document() for entry in found]
    if as_json:
        emit({"servers": documents}, 0)
        return
    rows = [
        (
            document["name"],
            document["version"],
            document["origin"] or "missing",
            document["path"] or document["way"],
        )
        for document in documents
    ]
    show(table(rows, ("SERVER", "VERSION", "FROM", "PATH")))


command.add_command(setup)
command.add_command(status)


def _settings() -> Settings:
    return read(os.environ)


def _finder(
    settings: Settings,
) -> Callable[[Callable[[str], None]], Mapping[str, Binary]]:
    def find(tell: Callable[[str], None]) -> Mapping[str, Binary]:
        from generator.dev import servers as programs
        from generator.dev import up as rise

        return programs.ensure(
            rise.BINARIES, cache=settings.cache, environ=os.environ, progress=programs.Lines()
        )

    return find


def _report(removed: Removed, as_json: bool, sentence: str) -> None:
    if as_json:
        emit(vars(removed), 0)
        return
    if removed.nothing:
        show("Nothing was running.")
        return
    for text, count in (
        ("jobs purged", len(removed.jobs)),
        ("servers stopped", len(removed.servers)),
        ("left-over processes ended", removed.processes),
        ("mounts removed", len(removed.mounts)),
        ("allocation folders removed", removed.allocations),
        ("cgroups removed", removed.cgroups),
    ):
        if count:
            say(f"{count} {text}")
    show(sentence)
