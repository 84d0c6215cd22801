"""Where a command ends: every error is reported here, once, and becomes the exit status."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from flowrex.command import output
from flowrex.command.verbs import INTERRUPTED
from flowrex.errors import ConfigurationError, Declined, FlowrexError, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def run(
    group: click.Group,
    typed: list[str],
    *,
    program: str,
    interrupted_hint: str,
    bug_status: int = 1,
) -> NoReturn:
    """Run a command line and leave with its exit status.

    Args:
        group: its verbs.
        typed: what was typed after the program's name.
        program: the program's name, for its messages.
        interrupted_hint: what to do after Ctrl-C.
        bug_status: the exit status of a bug.
    """
    as_json = "--json" in typed
    try:
        status: Any = group.main(typed, prog_name=program, standalone_mode=False)
    except FlowrexError as error:
        sys.exit(_report(error, as_json=as_json))
    except click.ClickException as error:
        with suppress(OSError):  # standard error takes nothing
            error.show()
        if as_json:
            usage = UsageError(error.format_message())
            usage.exit_status = error.exit_code
            _report(usage, as_json=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        interrupted = FlowrexError("interrupted", hint=interrupted_hint)
        interrupted.exit_status = INTERRUPTED
        if not as_json:
            click.echo(err=True)  # the terminal has put ^C on the line
        sys.exit(_report(interrupted, as_json=as_json))
    except Exception as bug:
        if isinstance(bug, OSError) and bug.errno in _FULL:
            # Wherever it was written: of the help of a verb, too.
            place = f"{bug.filename}: " if bug.filename else ""
            full = FlowrexError(f"{place}can't be written: {bug.strerror}", hint="Make room there.")
            full.exit_status = ConfigurationError.exit_status if bug_status == 1 else bug_status
            sys.exit(_report(full, as_json=as_json))
        if os.environ.get("FLOWREX_DEBUG"):
            raise
        report = _as_bug(bug, program)
        report.exit_status = bug_status
        sys.exit(_report(report, as_json=as_json))
    sys.exit(status if isinstance(status, int) else 0)


def _as_bug(bug: Exception, program: str) -> FlowrexError:
    return FlowrexError(
        f"this is a bug in {program}: {type(bug).__name__}: {bug}",
        hint="Run it again with FLOWREX_DEBUG=1 for the traceback, and report that.",
    )


def _report(error: FlowrexError, *, as_json: bool) -> int:
    if not (as_json and _printed(error)):
        # Whoever said no knows why, and nothing went wrong.
        said_no = isinstance(error, Declined)
        label = "" if said_no else click.style("error: ", fg="red", bold=True)
        output.say(
            label
            + (f"{error.message[:1].upper()}{error.message[1:]}." if said_no else error.message)
        )
        if error.hint:
            output.say(error.hint)
    return error.exit_status


def _printed(error: FlowrexError) -> bool:
    """Print an error's document, and tell whether it could be; if not, people are told instead."""
    try:
        output.show(json.dumps(error.as_document(), indent=2))
    except (ConfigurationError, OSError):
        return False
    return True
