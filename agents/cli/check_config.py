"""`flowrex-agent check-config`."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.options import config_option, json_option
from flowrex.command.output import emit, show


@click.command("check-config")
@config_option
@json_option
def command(config: Path, as_json: bool) -> None:
    """Check the configuration; leaves with 3 where it can't be used, and says why.

    \b
    Examples:
      flowrex-agent check-config
      flowrex-agent check-config --config ./agent.yaml --json
    """
    from agents.settings import load
    from agents.wiring import enabled

    settings = load(config)
    parts = enabled(settings)
    if as_json:
        emit({"config": str(config), "valid": True, "parts": parts}, 0)
        return
    show(f"{config} is valid. Switched on: {', '.join(parts) or 'nothing'}.")
