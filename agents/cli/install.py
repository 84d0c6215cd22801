"""`flowrex-agent install`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from agents.cli.options import json_option
from flowrex.command.output import emit, say, show, table


@click.command("install")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/"),
    show_default=True,
    help="Install into a system that is being made, below this folder.",
)
@click.option(
    "--program",
    help="The agent's program, as the unit is to call it.  [default: the one that is running]",
)
@json_option
def command(root: Path, program: str | None, as_json: bool) -> None:
    """Write the unit, the user, the folders and a configuration to begin with.

    A configuration that is there is kept. Nothing is started: the node needs its credentials first.

    \b
    Examples:
      flowrex-agent install
      flowrex-agent install --root ./image --program /opt/flowrex-agent/bin/flowrex-agent
    """
    import sys

    from agents.install import install

    placed = install(root, program=program or str(Path(sys.argv[0]).resolve()))
    if as_json:
        emit({"root": str(root), "files": [asdict(one) for one in placed]}, 0)
        return
    show(table([(one.path, one.action) for one in placed], ("FILE", "WAS")))
    say("Next: put the node's credentials into /etc/flowrex/credentials, write")
    say("/etc/flowrex/agent.yaml, then: systemctl enable --now flowrex-agent")
