"""The command line: one module a verb, loaded when it is called."""

from __future__ import annotations

import gc
import sys

import click

from flowrex import __version__
from flowrex.command import edge
from flowrex.command.verbs import INTERRUPTED, Verbs

__all__ = ["DETAILED_ERROR", "INTERRUPTED", "VERBS", "group", "main"]

# A test compares it with the modules that there are.
VERBS = {
    "env": "Show an environment's settings and where each is written, or compare two.",
    "render": "Write the job specs of an environment, offline.",
    "validate": "Check an environment and its jobs for mistakes.",
    "plan": "Show what a run would change.",
    "evidence": "Record test results and known vulnerabilities for the hard stops.",
    "preflight": "Look at the hard stops: would a run be let through?",
    "run": "Deploy an environment, up to its canary.",
    "resume": "Go on with a run that was cut off.",
    "promote": "Let the canary replace the old version.",
    "fail": "Give a canary up and go back to the stable version.",
    "verify": "Look whether what is deployed works: the checklist after a deployment.",
    "watch-release": "Watch a release for its first 24 hours.",
    "rollback": "Bring an earlier version back.",
    "releases": "List what was released, show what is in it, or compare two.",
    "status": "Show what runs, what waits and what to type next.",
    "drift": "Compare what runs with what would be rendered now.",
    "unlock": "Free the deployment lock, where its holder can't any more.",
    "logs": "Show a job's log.",
    "drain": "Empty a node before somebody works on it, or give it back.",
    "agents": "Show every node's agent, what it is behind with and what fails.",
    "backup": "Take, show, prove and keep the database's backups.",
    "restore": "Bring a backup of the database back.",
    "emergency": "Stop trading, see who has heard of it, and end it again.",
    "audit": "Prove the audit trail, search it and export it.",
    "build": "Make the application's artifact, reproducibly.",
    "bootstrap": "Configure Vault, Consul, Nomad and PostgreSQL for an environment.",
    "dev": "Run the real servers on this machine.",
    "completion": "Print the completion script of a shell.",
}

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
DETAILED_ERROR = 255  # what `plan --detailed-exitcode` answers for any error


@click.group(
    cls=Verbs,
    package=__name__,
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="flowrexctl")
def group() -> None:
    """Deploy and operate the Flowrex platform on Nomad, Consul and Vault.

    \b
    Exit status:
      0  done                             5  deployment failed or reverted
      1  a bug (plan, drift: changes)     6  a server can't be reached, or refuses
      2  usage                            7  refused by a hard stop
      3  configuration or rendering       8  the lock is held
      4  stale plan                       9  canary ready and waiting
    """


def main(arguments: list[str] | None = None) -> None:
    """Run flowrexctl and leave with its exit status.

    Args:
        arguments: what was typed, `sys.argv[1:]` unless given.
    """
    # What a verb imports and renders stays: to look for garbage in it took a tenth of its time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    typed = sys.argv[1:] if arguments is None else arguments
    edge.run(
        group,
        typed,
        program="flowrexctl",
        interrupted_hint="`flowrexctl status ENV` tells what is left.",
        # 1 would tell of changes.
        bug_status=DETAILED_ERROR if "--detailed-exitcode" in typed else 1,
    )
