"""`flowrexctl agents ENV`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.duration import ago
from flowrex.errors import ServerUnreachable
from generator.cli import context
from generator.cli.options import environment_options

if TYPE_CHECKING:
    from generator.agents import NodeAgent
    from generator.environment import Environment

_COLOURS = {"passing": "green", "warning": "yellow"}


@click.command("agents")
@environment_options
def command(environment_name: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Show every node's agent: how old its word is, what runs, what it is behind with, what fails.

    A node that runs jobs and has no agent is shown as missing.

    \b
    Examples:
      flowrexctl agents dev
      flowrexctl agents prod --json
    """
    from generator import access, agents

    environment = context.load_environment(environment_name, overrides)
    nodes, unknown = _nodes(environment)
    found = agents.read(access.consul(environment), environment.name, nodes, datetime.now(UTC))
    if as_json:
        output.emit(
            {
                "environment": environment.name,
                "nodes_known": unknown is None,
                "agents": [one.as_document() for one in found],
            },
            0,
        )
        return
    if not found:
        output.say(f"No agent of {environment.name} has ever told of itself.")
    else:
        output.show(_table(found))
    for one in found:
        for problem in one.problems:
            output.show(f"{one.node}: {problem}")
    if unknown is not None:
        output.say(f"Nodes without an agent are not shown: {unknown.message}")


def _nodes(environment: Environment) -> tuple[list[str], ServerUnreachable | None]:
    """Return the names of the nodes that run jobs; without Nomad, none and why."""
    from generator import access

    try:
        nodes = access.nomad(environment).nodes.list()
    except ServerUnreachable as error:
        return [], error
    return [node.name for node in nodes if node.status == "ready"], None


def _table(found: list[NodeAgent]) -> str:
    rows = [
        (
            one.node,
            click.style(one.status, fg=_COLOURS.get(one.status, "red")),
            "-" if one.age_s is None else ago(one.age_s),
            one.version or "-",
            _tasks(one),
            one.lag or "-",
        )
        for one in found
    ]
    return output.table(rows, ("NODE", "AGENT", "AGE", "VERSION", "TASKS", "BEHIND"))


def _tasks(one: NodeAgent) -> str:
    if not one.tasks:
        return "-"
    others = [f"{name} {state}" for name, state in one.tasks.items() if state != "running"]
    running = len(one.tasks) - len(others)
    return ", ".join([f"{running} running", *others])
