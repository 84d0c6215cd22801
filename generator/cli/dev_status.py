"""`flowrexctl dev status`: how each server is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from flowrex.command.output import emit, say, show, table
from flowrex.errors import ServerUnreachable
from generator.cli.options import json_option
from generator.dev.settings import read

if TYPE_CHECKING:
    from generator.dev.status import ClusterStatus

_UNHEALTHY = 6


@click.command("status")
@json_option
def status(as_json: bool) -> int:
    """Show how each server is. Exit status 0 where all is well, 6 otherwise.

    \b
    Examples:
      flowrexctl dev status
      flowrexctl dev status --json | jq .healthy
    """
    from generator.dev.status import status as look

    settings = read(os.environ)
    found = look(settings.root)
    if found is None:
        raise ServerUnreachable(
            f"there is no cluster in {settings.root}", hint="`flowrexctl dev up` makes one."
        )
    exit_status = 0 if found.healthy else _UNHEALTHY
    if as_json:
        emit(found.as_document(), exit_status)
    else:
        _show_status(found)
    return exit_status


def _show_status(found: ClusterStatus) -> None:
    colours = {"running": "green", "not ready": "yellow", "dead": "red", "stopped": "bright_black"}
    rows = [
        (
            one.name,
            click.style(one.state, fg=colours[one.state]),
            one.pid or "-",
            one.port,
            one.version or "-",
            _span(one.uptime_s),
            one.detail or one.log,
        )
        for one in found.servers
    ]
    show(table(rows, ("SERVER", "STATE", "PID", "PORT", "VERSION", "UP", "LOG OR REASON")))
    if found.stopped:
        say("The cluster is down. `flowrexctl dev up` starts it.")
    elif not found.configured:
        say("The last `dev up` did not end. `flowrexctl dev up` goes on with it.")
    elif not found.healthy:
        say("`flowrexctl dev up` repairs it.")


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
