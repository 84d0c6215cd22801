"""What the channels are set by, for the agent and for the deployer alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flowrex.settings.declare import Duration, setting


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Messages to a chat: JSON with `text`, as Slack and Mattermost take it."""

    enabled: bool = setting("Whether messages go there.")
    timeout: Duration = setting("Time for one try.")


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Messages by e-mail."""

    enabled: bool = setting("Whether messages go there.")
    host: str = setting("The mail server.")
    port: int = setting("Its TCP port.", minimum=1, maximum=65535)
    tls: Literal["starttls", "tls", "none"] = setting(
        "How the connection is encrypted; `none` to this machine only."
    )
    ca_file: str | None = setting("Certificates that its own is checked by; null: the system's.")
    user: str | None = setting("Who logs in; null: nobody does.")
    sender: str = setting("The address that messages are from.", pattern=r"[^@\s]+@[^@\s]+")
    recipients: tuple[str, ...] | None = setting("The addresses that messages go to.")
    timeout: Duration = setting("Time for each step of one try.")
