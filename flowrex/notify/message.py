"""What is told, whatever the channel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        id: the same for the same event, so that it is told once; a file's name.
        subject: one line.
        text: the rest, in lines.
        at: when it was written, an ISO 8601 time.
    """

    id: str
    subject: str
    text: str
    at: str
