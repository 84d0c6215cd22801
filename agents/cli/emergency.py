"""`flowrex-agent emergency`: the kill switch as this node sees it, and what the node would do."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.options import config_option, json_option
from flowrex.command.output import emit, say, show, table
from flowrex.errors import ConfigurationError

_STATES = {"done": "green", "due": "yellow", "begun": "yellow"}
_UNSOUND = 3


@click.group("emergency")
def command() -> None:
    """Show the emergency as this node sees it, and prove what the node does in one.

    The switch itself is worked by `flowrexctl emergency`, or by
    `consul kv put flowrex/emergency on`.

    \b
    Examples:
      flowrex-agent emergency status
      flowrex-agent emergency hooks
      flowrex-agent emergency notify
    """


@command.command("status")
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show the switch's level here, and how far this node's steps are.

    \b
    Examples:
      flowrex-agent emergency status
      flowrex-agent emergency status --json | jq .level
    """
    from agents import local
    from agents.settings import load

    document = local.status(load(config))["tasks"].get("emergency")
    if document is None:
        raise ConfigurationError(
            "this node does not follow the kill switch", path=config, hint="See emergency.enabled."
        )
    if as_json:
        emit(document, 0)
        return
    colour = "green" if document["level"] == "off" else "red"
    word = click.style(str(document["level"]), fg=colour, bold=True)
    show(f"Emergency: {word}" + (f" ({document['why']})" if document["why"] else ""))
    if document["acknowledged_at"]:
        show(f"Acknowledged {document['acknowledged_at']}, index {document['acknowledged']}.")
    rows = [
        (
            step["change"],
            f"{step['kind']} {step['name']}".strip(),
            click.style(step["state"], fg=_STATES.get(step["state"], "red")),
            step["attempts"],
            step["detail"] or "-",
        )
        for step in document["steps"]
    ]
    if rows:
        show(table(rows, ("CHANGE", "STEP", "STATE", "TRIES", "HOW IT ENDED")))
    if document["problem"]:
        say(document["problem"])


@command.command("hooks")
@config_option
@json_option
def hooks(config: Path, as_json: bool) -> int:
    """Show which hooks would be run, and which would not and why (exit status 3).

    Run it as the agent's user, whose files are trusted.

    \b
    Examples:
      sudo -u flowrex flowrex-agent emergency hooks
    """
    import os

    from agents.settings import load
    from flowrex.hooks import names, objection

    folder = Path(load(config).emergency.hooks.dir)
    found = {name: objection(folder / name, os.getuid()) for name in names(folder)}
    status = _UNSOUND if any(found.values()) else 0
    if as_json:
        emit({"dir": str(folder), "hooks": found}, status)
    elif not found:
        show(f"There is no hook in {folder}.")
    else:
        rows = [
            (
                name,
                click.style("would be run", fg="green")
                if not why
                else click.style(f"would not be run: {why}", fg="red"),
            )
            for name, why in found.items()
        ]
        show(table(rows, ("HOOK", "VERDICT")))
    return status


@command.command("notify")
@config_option
@click.option("--text", default="This is a test.", show_default=True, help="What to say.")
def notify(config: Path, text: str) -> None:
    """Send a test message by every channel that is switched on, by the running agent.

    \b
    Examples:
      sudo -u flowrex flowrex-agent emergency notify
    """
    from datetime import UTC, datetime

    from agents.notify.spool import Spool
    from agents.notify.task import channels
    from agents.settings import load
    from flowrex.notify.message import Message

    settings = load(config)
    on = channels(settings.notify)
    if not on:
        raise ConfigurationError("no channel is switched on", path=config, hint="See `notify`.")
    now = datetime.now(UTC)
    message = Message(
        f"test-{now:%Y%m%dT%H%M%S%f}",
        f"[{settings.environment}] test of flowrex-agent",
        text,
        now.isoformat(timespec="seconds"),
    )
    folder = Path(settings.state_dir) / "notify"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Spool(folder).put(message, on)
    except OSError as error:
        raise ConfigurationError(
            f"the message can't be written: {error.strerror}",
            path=folder,
            hint="Run it as the agent's user.",
        ) from error
    show(f"Handed to {', '.join(on)}; it is sent within half a minute.")
    say("flowrex-agent status tells what could not be sent.")
