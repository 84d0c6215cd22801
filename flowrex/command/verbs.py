"""A group of verbs, each of which is imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

INTERRUPTED = 130


class Verbs(click.Group):
    """A group that imports a verb's module only when that verb is called."""

    def __init__(
        self, *args: Any, package: str = "", verbs: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        """Remember where the verbs are.

        Args:
            args: click's.
            package: where each verb has its module; `check-config` is in `check_config`.
            verbs: each verb's one sentence, in the order in which they are listed. Kept by hand so
                that `--help` and completion need not import every verb.
            kwargs: click's.
        """
        super().__init__(*args, **kwargs)
        self._package = package
        self._verbs = dict(verbs or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they are used."""
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command."""
        if cmd_name not in self._verbs:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest verb when the one that was typed does not exist."""
        if args and args[0] not in self._verbs and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], self._verbs, n=1)
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
            formatter.write_dl(list(self._verbs.items()))
