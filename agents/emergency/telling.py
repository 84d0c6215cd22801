"""What people are told of a change of the kill switch."""

from __future__ import annotations

from agents.emergency.episode import Change
from flowrex.emergency import Level
from flowrex.notify.message import Message

_MEANS = {
    Level.NORMAL: "The emergency is over; trading is allowed again.",
    Level.HALT: "New risk is refused; exits are allowed.",
    Level.CANCEL: "New risk is refused, and open orders are cancelled.",
    Level.FLATTEN: "Open orders are cancelled, and positions are closed.",
    Level.STOP: "Positions are closed, and the platform is in maintenance.",
}


def message_of(change: Change, node: str, environment: str) -> Message:
    """Return the message; the same for the same change, also after a restart.

    Args:
        change: of the switch.
        node: which tells it.
        environment: the node's.
    """
    said = change.emergency
    level = said.level.word
    subject = f"[{environment}] emergency {level} on {node}"
    if said.reason:
        subject += f": {_short(said.reason)}"
    lines = [_MEANS[said.level]]
    for name, text in (
        ("Reason", said.reason),
        ("By", said.by),
        ("At", said.at),
        ("Unreadable", said.problem),
        ("Seen by the node", change.seen),
    ):
        if text:
            lines.append(f"{name}: {text}")
    lines.append(f"See it: flowrexctl emergency status {environment}")
    return Message(f"emergency-{change.id}", subject, "\n".join(lines), change.seen)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
