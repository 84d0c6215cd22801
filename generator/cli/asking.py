"""What the verbs that ask a node's agent share: their options, the asking, and the answer's end."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from flowrex.command import output
from generator.cli import context
from generator.cli.options import environment_options, is_duration

if TYPE_CHECKING:
    from flowrex.node_requests import Answer, Kind
    from generator.node_requests import Desk


@dataclass(frozen=True)
class Asking:
    """How a person asks.

    Attributes:
        environment_name: of which environment.
        overrides: settings of `--set`.
        as_json: whether one document is printed.
        node: whose agent; None: the first that can.
        timeout: the time in which it must have ended.
    """

    environment_name: str
    overrides: tuple[str, ...]
    as_json: bool
    node: str | None
    timeout: str

    def desk(self) -> Desk:
        """Return from where agents are asked."""
        from flowrex.duration import seconds
        from generator import access
        from generator.node_requests import Desk

        environment = context.load_environment(self.environment_name, self.overrides)
        return Desk(
            environment.name,
            access.consul(environment),
            output.say,
            deadline_s=seconds(self.timeout),
        )

    def ask(self, kind: Kind, arguments: Mapping[str, str]) -> Answer:
        """Ask an agent that can, and follow its answer to the end.

        Args:
            kind: what for.
            arguments: by name.
        """
        from generator import agent_choice, node_requests

        desk = self.desk()
        node = agent_choice.choose(desk.consul, desk.environment, kind, self.node)
        return node_requests.ask(desk, node, kind, arguments)

    def finish(self, answer: Answer, text: str, status: int = 0) -> None:
        """Print what came of it.

        Args:
            answer: the agent's.
            text: the same for people.
            status: the exit status that follows.
        """
        if self.as_json:
            output.emit(
                {
                    "request": answer.id,
                    "state": answer.state,
                    "message": answer.message,
                    "result": dict(answer.result),
                },
                status,
            )
            return
        output.show(text)
        if answer.message and answer.message not in text:
            output.say(answer.message)


def asks(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ENV, --set, --json, --node and --timeout, as its first argument, an `Asking`."""

    @functools.wraps(verb)
    def gathered(
        environment_name: str,
        overrides: tuple[str, ...],
        as_json: bool,
        node: str | None,
        timeout: str,
        **others: Any,
    ) -> Any:
        return verb(Asking(environment_name, overrides, as_json, node, timeout), **others)

    whose = click.option(
        "--node", metavar="NODE", help="Whose agent; the first that can, if absent."
    )
    within = click.option(
        "--timeout",
        metavar="DURATION",
        callback=is_duration,
        default="6h",
        show_default=True,
        help="Time in which it must have ended.",
    )
    decorated: Callable[..., Any] = environment_options(whose(within(gathered)))
    return decorated
