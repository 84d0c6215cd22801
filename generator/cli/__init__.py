"""The command line: one module a verb, loaded when it is called."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

import click

from flowrex import __version__
from flowrex.errors import FlowrexError, UsageError

# Kept by hand so that `--help` and completion need not import every verb. A test compares it with
# the modules that there are.
VERBS = {
    "render": "Write the job specs of an environment, offline.",
    "validate": "Check an environment and its jobs for mistakes.",
    "plan": "Show what a run would change.",
    "run": "Deploy an environment, up to its canary.",
    "promote": "Let the canary replace the old version.",
    "fail": "Give a canary up and go back to the stable version.",
    "rollback": "Bring an earlier version back.",
    "status": "Show what runs, what waits and what to type next.",
    "logs": "Show a job's log.",
    "build": "Make the application's artifact, reproducibly.",
    "bootstrap": "Configure Vault, Consul, Nomad and PostgreSQL for an environment.",
    "dev": "Run the real servers on this machine.",
    "completion": "Print the completion script of a shell.",
}

INTERRUPTED = 130
DETAILED_ERROR = 255  # what `plan --detailed-exitcode` answers for any error


class Verbs(click.Group):
    """A group that imports a verb's module only when that verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they are used."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"generator.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb when the one that was typed does not exist."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, n=1)
            ctx.fail(
                f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Leave quietly where the reader (`| head`) has gone; click would call that a bug."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Nobody is left to tell, and Python must not try again when it flushes at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(INTERRUPTED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="flowrexctl")
def group() -> None:
    """Deploy and operate the Flowrex platform on Nomad, Consul and Vault.

    \b
    Exit status:
      0  done                             5  deployment failed or reverted
      1  a bug (or changes, see plan)     6  a server can't be reached, or refuses
      2  usage                            7  refused by a hard stop
      3  configuration or rendering       8  the lock is held
      4  stale plan                       9  canary ready and waiting
    """


def main(arguments: list[str] | None = None) -> None:
    """Run flowrexctl and leave with its exit status; the one place that reports errors.

    Args:
        arguments: what was typed, `sys.argv[1:]` unless given.
    """
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        status: Any = group.main(typed, prog_name="flowrexctl", standalone_mode=False)
    except FlowrexError as error:
        sys.exit(_report(error, as_json="--json" in typed))
    except click.ClickException as error:
        error.show()
        if "--json" in typed:
            usage = UsageError(error.format_message())
            usage.exit_status = error.exit_code
            _report(usage, as_json=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        interrupted = FlowrexError(
            "interrupted", hint="`flowrexctl status ENV` tells what is left."
        )
        interrupted.exit_status = INTERRUPTED
        if "--json" not in typed:
            click.echo(err=True)  # the terminal has put ^C on the line
        sys.exit(_report(interrupted, as_json="--json" in typed))
    except Exception as bug:
        if os.environ.get("FLOWREX_DEBUG"):
            raise
        report = _as_bug(bug)
        if "--detailed-exitcode" in typed:
            report.exit_status = DETAILED_ERROR  # 1 would tell of changes
        sys.exit(_report(report, as_json="--json" in typed))
    sys.exit(status if isinstance(status, int) else 0)


def _as_bug(bug: Exception) -> FlowrexError:
    return FlowrexError(
        f"this is a bug in flowrexctl: {type(bug).__name__}: {bug}",
        hint="Run it again with FLOWREX_DEBUG=1 for the traceback, and report that.",
    )


def _report(error: FlowrexError, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(error.as_document(), indent=2))
    else:
        click.echo(click.style("error: ", fg="red", bold=True) + error.message, err=True)
        if error.hint:
            click.echo(error.hint, err=True)
    return error.exit_status
