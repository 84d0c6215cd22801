"""`flowrex-agent reload`."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.options import config_option
from flowrex.command.output import show


@click.command("reload")
@config_option
@click.option("--within", "within_s", default=30, show_default=True, help="Seconds to wait for it.")
def command(config: Path, within_s: int) -> None:
    """Let the running agent read its configuration again, and say whether it took it.

    Leaves with 3 where the agent refused it: the one before stays in use. `systemctl reload` calls
    this.

    \b
    Examples:
      flowrex-agent reload
      systemctl reload flowrex-agent
    """
    from agents import local
    from agents.settings import load

    local.reload(load(config), str(config), within_s=within_s)
    show(f"{config} is in use.")
