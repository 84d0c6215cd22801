"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path

import click

from agents.settings.load import DEFAULT_FILE

config_option = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=DEFAULT_FILE,
    show_default=True,
    help="The node's configuration file.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)
