"""How the kill switch looks: a sentence, and a table of who has taken it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flowrex.command import output
from flowrex.emergency import Level

if TYPE_CHECKING:
    from generator.emergency.switch import Standing
    from generator.emergency.wait import Response

_DOES = {
    Level.NORMAL: "trading is allowed",
    Level.HALT: "new risk is refused, exits are allowed",
    Level.CANCEL: "new risk is refused, open orders are cancelled",
    Level.FLATTEN: "open orders are cancelled, positions are closed",
    Level.STOP: "positions are closed, the platform is in maintenance",
}


def standing(found: Standing) -> str:
    """Say how the switch stands."""
    emergency = found.emergency
    colour = "red" if emergency.active else "green"
    said = click.style(f"Emergency: {emergency.level.word}", fg=colour, bold=True)
    said += f" ({_DOES[emergency.level]})"
    if emergency.by:
        said += f", by {emergency.by}"
    if emergency.at:
        said += f", {emergency.at}"
    if emergency.reason:
        said += f": {emergency.reason}"
    if emergency.problem:
        said += f"\nIts value could not be read, so it counts as halt: {emergency.problem}."
    return said


def table(response: Response) -> str:
    """Lay out who has acknowledged and who has not."""
    if not response.members:
        return "Nobody runs that would have to acknowledge."
    rows = []
    for one in response.members:
        said = one.said
        if one.has_taken_up(response.standing):
            word = click.style("acknowledged", fg="green")
        elif not response.standing.index and not one.remembers(response.standing):
            word = "-"  # the switch was never written: there is nothing to take up
        elif said is None:
            word = click.style("has said nothing", fg="red")
        else:
            word = click.style(f"still at {said.level}", fg="red")
        latency = said.latency_ms if said and one.has_taken_up(response.standing) else None
        after = response.after_s.get((one.kind, one.name))
        if latency is None and after is not None:
            latency = after * 1000
        rows.append(
            (
                one.kind,
                one.name,
                one.node or "-",
                word,
                "-" if latency is None else f"{latency:.0f} ms",
                one.note or "-",
            )
        )
    return output.table(rows, ("KIND", "PROCESS", "NODE", "SWITCH", "LATENCY", "NOTE"))


def remembered(response: Response) -> str:
    """Say that the switch and those who follow it do not agree on whether it is over."""
    levels = sorted({one.said.level for one in response.remembering if one.said})
    gone = "" if response.standing.index else " There is no such key (any more)."
    return (
        f"In {len(response.remembering)} of {len(response.members)} processes an emergency holds "
        f"({', '.join(levels)}), of which the switch says nothing.{gone} A key that is gone, or is "
        "older, ends none: docs/emergency.md"
    )


def done_so_far(response: Response) -> str:
    """Say what the emergency has done, as far as the acknowledgements tell."""
    level = response.standing.emergency.level
    heard = len(response.members) - len(response.lacking)
    said = f"{heard} of {len(response.members)} processes have taken it up."
    if level >= Level.FLATTEN:
        return f"{said} Open orders were to be cancelled and positions closed."
    if level >= Level.CANCEL:
        return f"{said} Open orders were to be cancelled; positions were left alone."
    return f"{said} Open orders and positions were left alone."
