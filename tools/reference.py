"""Write docs/reference from the code, so that it can't be out of date.

`make reference` writes the files; a test fails where one of them is not what this would write.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click
import yaml

if TYPE_CHECKING:
    from agents.task import Task

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"

_HEAD = "<!-- Written by `make reference`; change the code instead. -->\n\n"


def commands() -> str:
    """Return the page of flowrexctl's verbs."""
    from generator.cli import group

    return _commands("Commands", "flowrexctl", group)


def agent_commands() -> str:
    """Return the page of flowrex-agent's verbs."""
    from agents.cli import group

    return _commands("The agent's commands", "flowrex-agent", group)


def _commands(title: str, program: str, group: click.Group) -> str:
    """Return the page of all verbs of a program, their options and their help."""
    lines = [_HEAD + f"# {title}\n"]
    for path, command in _walk(program, group):
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
    from generator.environment import Environment

    return (
        _HEAD + "# Settings\n\n"
        "An environment is `jobs/environments/base.yaml` with its own file laid over it. Each "
        "setting can be overridden for one call: `--set backend.count=3`.\n\n"
        + _settings(Environment, ROOT / "jobs/environments/base.yaml")
    )


def agent_settings() -> str:
    """Return the page of the agent's settings, with reference.yaml's values."""
    from agents.settings import REFERENCE, Agent

    return (
        _HEAD + "# The agent's settings\n\n"
        "What a node's `/etc/flowrex/agent.yaml` may say; `agents/reference.yaml` has the "
        "defaults. A setting marked *restart* is taken at the start only: a reload that changes it "
        "is refused.\n\n" + _settings(Agent, REFERENCE)
    )


def _settings(model: type, defaults: Path) -> str:
    from flowrex.settings.schema import settings as declared

    base = yaml.safe_load(defaults.read_text(encoding="utf-8"))
    lines = [f"| setting | kind | in {defaults.name} | what it is |\n| --- | --- | --- | --- |\n"]
    for setting in declared(model):
        value: Any = base
        for key in setting.path.split("."):
            value = value[key]
        doc = setting.doc + (" *Restart.*" if setting.limits.get("restart") else "")
        lines.append(
            f"| `{setting.path}` | {_cell(_kind(setting.kind))} | `{_cell(_shown(value))}` "
            f"| {_cell(doc)} |\n"
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


def _agent_tasks() -> list[Task]:
    """Return every task that an agent may have; none is ever started."""
    from agents import wiring
    from agents.clock import SystemClock
    from agents.context import Context
    from agents.credentials.clients import Clients
    from agents.credentials.files import Files
    from agents.credentials.keeper import Keeper
    from agents.publish import Publisher
    from agents.settings import defaults

    with tempfile.TemporaryDirectory() as folder:
        settings = dataclasses.replace(defaults(), state_dir=folder)
        clients = Clients(settings, Files(Path(folder)), SystemClock())
        context = Context(
            settings=settings,
            node="node",
            consul=clients.consul,
            vault=clients.vault,
            s3=clients.s3,
        )
        own: list[Task] = [Keeper(context, clients), Publisher(context, dict)]
        return own + [task for part in wiring.PARTS for task in part.make(context)]


def agent_metrics() -> str:
    """Return the page of all metrics of the agent, with every part switched on."""
    from agents.clock import SystemClock
    from agents.metrics import Collector
    from agents.supervised import Supervised

    clock = SystemClock()
    tasks = [Supervised(task, clock) for task in _agent_tasks()]
    families = Collector(lambda: tasks, 0.0, "").collect()
    rows = {
        f"| `{one.name}{'_total' if one.type == 'counter' else ''}` | {one.type} "
        f"| {_cell(one.documentation)} |\n"
        for one in families
    }
    return (
        _HEAD + "# The agent's metrics\n\nAt `http://127.0.0.1:9877/metrics` of each node, beside "
        "the process's own (`process_…`).\n\n| metric | kind | what it is |\n| --- | --- | --- |\n"
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
        "agent-commands.md": agent_commands(),
        "agent-settings.md": agent_settings(),
        "agent-metrics.md": agent_metrics(),
    }


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
