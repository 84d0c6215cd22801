"""`flowrex-agent status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agents.cli.options import config_option, json_option
from flowrex.command.output import emit, say, show, table
from flowrex.errors import ConfigurationError

_COLOURS = {"running": "green", "waiting": "yellow", "stopping": "yellow"}
_CHECK = {"passing": "green", "warning": "yellow", "critical": "red"}


@click.command("status")
@config_option
@json_option
def command(config: Path, as_json: bool) -> None:
    """Show what the agent of this node does, and what fails.

    Leaves with 6 where no agent answers.

    \b
    Examples:
      flowrex-agent status
      flowrex-agent status --json
    """
    from agents import local
    from agents.settings import defaults, load

    try:
        settings = load(config)
    except ConfigurationError as error:
        # Which the running agent has not taken; how that one is, is wanted all the more.
        say(error.as_text())
        settings = defaults()
    document = local.status(settings)
    if as_json:
        emit(document, 0)
        return
    _show(document)


def _show(document: dict[str, Any]) -> None:
    check = document["check"]
    show(
        f"{document['node']} ({document['environment']}), version {document['version']}, "
        f"pid {document['pid']}, since {document['started_at']}: "
        + click.style(check["status"], fg=_CHECK.get(check["status"], "red"))
    )
    rows = [
        (
            name,
            click.style(task["state"], fg=_COLOURS.get(task["state"], "red")),
            task["since"],
            task["restarts"],
            task.get("problem") or task["error"] or "-",
        )
        for name, task in document["tasks"].items()
    ]
    show(table(rows, ("TASK", "STATE", "SINCE", "RESTARTS", "PROBLEM")))
    for sentence in document["problems"]:
        show(sentence)
