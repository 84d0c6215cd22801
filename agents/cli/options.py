"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path

import click

from agents.settings.load import DEFAULT_FILE

config_option = click.option(
    "--config",
    "config",
    # Whether it can be read is seen when it is read: access(2), which click asks, knows nothing of
    # the capability by which the agent reads what is root's.
    type=click.Path(dir_okay=False, readable=False, path_type=Path),
    default=DEFAULT_FILE,
    show_default=True,
    help="The node's configuration file.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)
