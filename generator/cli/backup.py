"""`flowrexctl backup`: what the nodes' agents have backed up, and what they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowrex.command import output
from generator.cli import context
from generator.cli.options import environment_options

if TYPE_CHECKING:
    from flowrex.node_requests import Answer, Kind
    from generator.node_requests import Desk

F = TypeVar("F", bound=Callable[..., Any])

_BROKEN = 5


def _options(command: F) -> F:
    """Give a verb ENV, --set, --json, --node and --timeout."""
    node = click.option(
        "--node", metavar="NODE", help="Whose agent; the first that can, if absent."
    )
    timeout = click.option(
        "--timeout",
        metavar="DURATION",
        default="6h",
        show_default=True,
        help="Time in which it must have ended.",
    )
    decorated: F = environment_options(node(timeout(command)))
    return decorated


_name_argument = click.argument("name", metavar="[NAME]", default="newest")


@click.group("backup")
def command() -> None:
    """Take, show, prove and keep the database's backups.

    The agents of the nodes do it; they are asked through Consul, and what they say on the way is
    shown. Ctrl-C leaves what has begun to go on.

    \b
    Exit status:
      0  done                          6  no agent took it, or a server is out of reach
      5  it failed, or is no good      7  the agent refuses

    \b
    Examples:
      flowrexctl backup now prod
      flowrexctl backup list prod
      flowrexctl backup verify prod
      flowrexctl backup drill prod
    """


@command.command("now")
@_options
def now(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
) -> None:
    """Take a backup now.

    \b
    Examples:
      flowrexctl backup now prod
      flowrexctl backup now prod --json | jq -r .result.name
    """
    answer = _ask("backup", {"reason": "manual"}, environment_name, overrides, node, timeout)
    result = answer.result
    size, took = result.get("bytes", 0), result.get("seconds", 0)
    _finish(answer, as_json, f"{result.get('name')}: {_size(size)} in {took} s")


@command.command("list")
@_options
def list_(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
) -> None:
    """List the backups, the newest last. Only `good` ones were read or restored, and were right.

    \b
    Examples:
      flowrexctl backup list prod
      flowrexctl backup list prod --json | jq '.result.backups[-1]'
    """
    answer = _ask("list", {}, environment_name, overrides, node, timeout)
    rows = [
        (
            one["name"],
            _size(one["bytes"]),
            click.style(one["state"], fg="green" if one["good"] else "yellow"),
            "held" if one["held"] else "-",
            one["verified_at"] or "-",
            one["drilled_at"] or "-",
        )
        for one in answer.result.get("backups", ())
    ]
    headers = ("NAME", "SIZE", "STATE", "HELD", "VERIFIED", "DRILLED")
    _finish(answer, as_json, output.table(rows, headers) if rows else "There is no backup.")


@command.command("show")
@_options
@_name_argument
def show(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
    name: str,
) -> None:
    """Show everything that is known of a backup.

    \b
    Examples:
      flowrexctl backup show prod
      flowrexctl backup show prod scheduled_20260301_020000
    """
    answer = _ask("show", {"name": name}, environment_name, overrides, node, timeout)
    lines = [f"{key}: {_plain(value)}" for key, value in answer.result.items() if key != "records"]
    lines += [
        f"{one['at']} {one['kind']}: {one['text'] or ('good' if one['good'] else 'not good')}"
        for one in answer.result.get("records", ())
    ]
    _finish(answer, as_json, "\n".join(lines))


@command.command("verify")
@_options
@_name_argument
def verify(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
    name: str,
) -> int:
    """Read every byte of a backup again and compare it with its manifest. Exit status 5 if wrong.

    \b
    Examples:
      flowrexctl backup verify prod
      flowrexctl backup verify prod scheduled_20260301_020000
    """
    answer = _ask("verify", {"name": name}, environment_name, overrides, node, timeout)
    return _judged(answer, as_json)


@command.command("drill")
@_options
@_name_argument
def drill(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
    name: str,
) -> int:
    """Restore a backup into a scratch server and compare it with its manifest. Exit 5 if wrong.

    \b
    Examples:
      flowrexctl backup drill prod
    """
    answer = _ask("drill", {"name": name}, environment_name, overrides, node, timeout)
    return _judged(answer, as_json)


@command.command("hold")
@_options
@click.argument("name", metavar="NAME")
@click.option("--why", metavar="TEXT", required=True, help="Why it must stay; it is kept with it.")
def hold(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
    name: str,
    why: str,
) -> None:
    """Keep a backup for as long as it is held, whatever retention says.

    \b
    Examples:
      flowrexctl backup hold prod pre_deploy_20260301_120000 --why "case 17"
    """
    asked = {"name": name, "why": why}
    answer = _ask("hold", asked, environment_name, overrides, node, timeout)
    _finish(answer, as_json, f"{name} is held.")


@command.command("release")
@_options
@click.argument("name", metavar="NAME")
@click.option("--why", metavar="TEXT", required=True, help="Why it may go; it is kept with it.")
def release(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
    name: str,
    why: str,
) -> None:
    """Let retention have a backup again that was held.

    \b
    Examples:
      flowrexctl backup release prod pre_deploy_20260301_120000 --why "case 17 is closed"
    """
    asked = {"name": name, "why": why}
    answer = _ask("release", asked, environment_name, overrides, node, timeout)
    _finish(answer, as_json, f"{name} is held no more.")


@command.command("follow")
@_options
@click.argument("request", metavar="REQUEST")
def follow(
    environment_name: str,
    overrides: tuple[str, ...],
    as_json: bool,
    node: str | None,
    timeout: str,
    request: str,
) -> None:
    """Follow a request that somebody has stopped watching, to its end.

    \b
    Examples:
      flowrexctl backup follow prod 20260301T120000.000000Z-0a1b2c3d
    """
    from generator import node_requests

    desk = _desk(environment_name, overrides, timeout)
    where, sent = node_requests.find(desk, request)
    answer = node_requests.follow(desk, node or where, sent)
    _finish(answer, as_json, _plain(answer.result))


def _ask(
    kind: Kind,
    arguments: Mapping[str, str],
    environment_name: str,
    overrides: tuple[str, ...],
    node: str | None,
    timeout: str,
) -> Answer:
    from generator import agent_choice, node_requests

    desk = _desk(environment_name, overrides, timeout)
    return node_requests.ask(
        desk, agent_choice.choose(desk.consul, desk.environment, kind, node), kind, arguments
    )


def _desk(environment_name: str, overrides: tuple[str, ...], timeout: str) -> Desk:
    from flowrex.duration import seconds
    from generator import access
    from generator.node_requests import Desk

    environment = context.load_environment(environment_name, overrides)
    return Desk(
        environment.name,
        access.consul(environment),
        output.say,
        deadline_s=seconds(timeout),
    )


def _judged(answer: Answer, as_json: bool) -> int:
    good = answer.result.get("good") is True
    word = click.style("good", fg="green") if good else click.style("NOT GOOD", fg="red", bold=True)
    said = f"{answer.result.get('name')} is {word}. {answer.result.get('text') or ''}".strip()
    status = 0 if good else _BROKEN
    _finish(answer, as_json, said, status)
    return status


def _finish(answer: Answer, as_json: bool, text: str, status: int = 0) -> None:
    if as_json:
        output.emit(
            {
                "request": answer.id,
                "state": answer.state,
                "message": answer.message,
                "result": dict(answer.result),
                "exit_status": status,
            }
        )
        return
    output.show(text)
    if answer.message and answer.message not in text:
        output.say(answer.message)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _plain(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, default=str)
