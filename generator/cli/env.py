"""`flowrexctl env`: what an environment says, where it says it, and how two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowrex.command import output
from generator.cli import context
from generator.cli.options import (
    environment_argument,
    environment_options,
    json_option,
)

if TYPE_CHECKING:
    from generator.environment.compare import Written

_DIFFERENT = 1
_BASE = "base.yaml"


@click.group("env")
def command() -> None:
    """Show an environment's settings and where each is written, or compare two.

    An environment is base.yaml, its own file over it, for the local cluster a layer that `dev up`
    writes, and --set over all. What each setting means is in docs/reference/settings.md.

    \b
    Examples:
      flowrexctl env show prod backend
      flowrexctl env diff staging prod
    """


@command.command("show")
@environment_options
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--own", is_flag=True, help="Leave out what is as base.yaml has it.")
def show(
    environment_name: str,
    paths: tuple[str, ...],
    overrides: tuple[str, ...],
    as_json: bool,
    own: bool,
) -> None:
    """Show ENV's settings, or those below each PATH, with the file and line that decides.

    \b
    Examples:
      flowrexctl env show prod
      flowrexctl env show prod backend.health nginx
      flowrexctl env show prod --own
      flowrexctl env show dev --set backend.count=3 backend.count
    """
    from generator.environment import compare

    found = compare.chosen(_settings(environment_name, overrides), paths)
    if own:
        found = [one for one in found if not one.file.endswith(_BASE)]
    if as_json:
        output.emit(
            {
                "environment": environment_name,
                "settings": {
                    one.path: {"value": one.value, "file": one.file, "line": one.line}
                    for one in found
                },
            },
            0,
        )
        return
    rows = [(one.path, compare.shown(one.value), one.place) for one in found]
    output.show(output.table(rows, ("SETTING", "VALUE", "WRITTEN IN")))


@command.command("diff")
@environment_argument
@click.argument("other", metavar="OTHER")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@json_option
@click.option("--detailed-exitcode", is_flag=True, help="Leave with 1 where they differ.")
def diff(
    environment_name: str,
    other: str,
    paths: tuple[str, ...],
    as_json: bool,
    detailed_exitcode: bool,
) -> int:
    """Show the settings that OTHER has otherwise than ENV, or those of them below each PATH.

    \b
    Examples:
      flowrexctl env diff staging prod
      flowrexctl env diff dev prod backend nginx
      flowrexctl env diff staging prod --json
    """
    from generator.environment import compare

    sides = [_settings(name, ()) for name in (environment_name, other)]
    # What one of them has not at all is a difference, and no mistake.
    compare.chosen([*sides[0], *sides[1]], paths)
    left, right = (compare.below(side, paths) for side in sides)
    found = compare.differences(left, right)
    status = _DIFFERENT if found and detailed_exitcode else 0
    if as_json:
        output.emit(
            {
                "environments": [environment_name, other],
                "differences": {
                    one.path: [
                        None if side is None else side.value for side in (one.left, one.right)
                    ]
                    for one in found
                },
            },
            status,
        )
    elif found:
        rows = [(one.path, *(_cell(side) for side in (one.left, one.right))) for one in found]
        output.show(output.table(rows, ("SETTING", environment_name.upper(), other.upper())))
    else:
        output.show(f"{environment_name} and {other} are alike.")
    return status


def _settings(name: str, overrides: tuple[str, ...]) -> list[Written]:
    """Return an environment's settings; a mistake in any of them is an error, as for all verbs."""
    from generator.environment import checked, compare, merged

    root = context.project_root()
    tree = merged(root, name, overrides=overrides)
    checked(tree, root, name)
    return compare.written(tree)


def _cell(one: Written | None) -> str:
    from generator.environment.compare import shown

    return "-" if one is None else shown(one.value)
