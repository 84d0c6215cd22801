"""`flowrex-agent run`."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.options import config_option


@click.command("run")
@config_option
def command(config: Path) -> int:
    """Run the agent until SIGTERM; SIGHUP makes it read its configuration again.

    Its log goes to standard output, a JSON object a line. It leaves with another status than 0
    where one of its tasks can't go on.

    \b
    Examples:
      flowrex-agent run
      flowrex-agent run --config ./agent.yaml
    """
    from agents import start

    status = start.run(config)
    start.leave(status)
    return status
