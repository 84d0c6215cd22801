"""Write docs/reference from the code, so that it can't be out of date.

`make reference` writes the files; a test fails where one of them is not what this would write.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"

_HEAD = "<!-- Written by `make reference`; change the code instead. -->\n\n"


def commands() -> str:
    """Return the page of all verbs, their options and their help."""
    from generator.cli import group

    lines = [_HEAD + "# Commands\n"]
    for path, command in _walk("flowrexctl", group):
        context = click.Context(command, info_name=path)
        usage = command.get_usage(context).removeprefix("Usage: ")
        lines.append(f"\n## {path}\n\n```\n{usage}\n```\n\n{_paragraphs(command.help or '')}\n")
        rows = [record for p in command.params if (record := p.get_help_record(context))]
        if rows:
            lines.append("\n| option | what it does |\n| --- | --- |\n")
            lines += [f"| `{_cell(name)}` | {_cell(text)} |\n" for name, text in rows]
    return "".join(lines)


def _walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _walk(f"{path} {name}", inner)


def _paragraphs(text: str) -> str:
    """Turn click's help into Markdown: a block behind a \\b is kept line by line."""
    blocks = []
    for block in inspect.cleandoc(text).split("\n\n"):
        if block.startswith("\b"):
            blocks.append("```\n" + block.removeprefix("\b").strip("\n") + "\n```")
        else:
            blocks.append(" ".join(block.split()))
    return "\n\n".join(blocks)


def settings() -> str:
    """Return the page of all settings, with base.yaml's values."""
    from flowrex.settings.schema import settings as declared
    from generator.environment import Environment

    base = yaml.safe_load((ROOT / "jobs/environments/base.yaml").read_text(encoding="utf-8"))
    lines = [
        _HEAD + "# Settings\n\n",
        "An environment is `jobs/environments/base.yaml` with its own file laid over it. Each ",
        "setting can be overridden for one call: `--set backend.count=3`.\n\n",
        "| setting | kind | in base.yaml | what it is |\n| --- | --- | --- | --- |\n",
    ]
    for setting in declared(Environment):
        value: Any = base
        for key in setting.path.split("."):
            value = value[key]
        lines.append(
            f"| `{setting.path}` | {_cell(_kind(setting.kind))} | `{_cell(_shown(value))}` "
            f"| {_cell(setting.doc)} |\n"
        )
    return "".join(lines)


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _kind(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is None:
        return {"str": "text", "int": "number", "bool": "true or false", "Duration": "time"}[
            kind.__name__
        ]
    if origin is tuple:
        return "list of texts"
    if "Mapping" in str(origin):
        return "texts by name"
    if "Literal" in str(origin):
        return ", ".join(get_args(kind))
    return "text or none"


def consul_keys() -> str:
    """Return the page of all Consul keys."""
    from flowrex.keys import DESCRIPTIONS

    rows = "".join(f"| `{key}` | {_cell(text)} |\n" for key, text in DESCRIPTIONS.items())
    return (
        _HEAD + "# Consul keys\n\nDefined in `flowrex/keys.py`.\n\n"
        "| key | what it is |\n| --- | --- |\n" + rows
    )


def metrics() -> str:
    """Return the page of all metrics that the application exports."""
    from app.metrics import Metrics

    rows = []
    for metric in Metrics("", "").registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        rows.append(f"| `{name}` | {metric.type} | {_cell(metric.documentation)} |\n")
    return (
        _HEAD + "# Metrics\n\nOf the backend, at `/metrics`; through nginx only from the networks "
        "in `nginx.metrics_allow`.\n\n| metric | kind | what it is |\n| --- | --- | --- |\n"
        + "".join(sorted(rows))
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    return {
        "commands.md": commands(),
        "settings.md": settings(),
        "consul-keys.md": consul_keys(),
        "metrics.md": metrics(),
    }


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
