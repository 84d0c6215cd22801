"""The command line: one module a verb, loaded when it is called."""

from __future__ import annotations

import click

from flowrex import __version__
from flowrex.command.verbs import Verbs

# A test compares it with the modules that there are.
VERBS = {
    "run": "Run the agent; systemd does.",
    "reload": "Let the running agent read its configuration again.",
    "check-config": "Check the configuration and say every mistake's file and line.",
    "status": "Show what the running agent does, and what fails.",
    "backup": "Take, verify, drill and restore backups of the database.",
    "audit": "Show how far the audit log is shipped, and prove what was.",
    "install": "Write the unit, the user and a configuration to begin with.",
    "emergency": "Show the emergency as this node sees it, and what it does in one.",
    "physical": "Physical backups and recovery to any moment, by pgBackRest.",
    "snapshots": "Snapshots of Consul, Vault, Nomad and Redis, to rebuild a cluster from.",
}


@click.group(
    cls=Verbs,
    package=__name__,
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="flowrex-agent")
def group() -> None:
    """Back up, ship the audit log and watch for emergencies, on each node.

    \b
    Exit status:
      0  done                       6  a server (or the agent) can't be reached, or refuses
      1  a bug                      7  refused by a hard stop
      2  usage                      8  the lock is held
      3  configuration
    """
