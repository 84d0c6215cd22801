"""Options that several verbs have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _complete_environment(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from flowrex.errors import FlowrexError
    from generator.cli.context import project_root
    from generator.environment import names

    try:
        known = names(project_root())
    except FlowrexError:
        return []
    return [name for name in known if name.startswith(incomplete)]


def is_duration(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no length of time before anything is asked or changed."""
    from flowrex.duration import seconds
    from flowrex.errors import UsageError

    if value is not None:
        try:
            seconds(value)
        except UsageError as error:
            raise click.BadParameter(f"{error.message}. {error.hint}", ctx, param) from error
    return value


environment_argument = click.argument(
    "environment_name", metavar="ENV", shell_complete=_complete_environment
)
override_option = click.option(
    "--set",
    "overrides",
    metavar="PATH=VALUE",
    multiple=True,
    help="Override one setting for this call, for example backend.count=3. May be repeated.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def environment_options(command: F) -> F:
    """Give a verb ENV, --set and --json."""
    return environment_argument(override_option(json_option(command)))
