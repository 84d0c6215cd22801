"""Telling people how a change ended: a chat, and e-mail. Nothing waits for it but its own end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, FlowrexError, ServerUnreachable
from flowrex.notify import mail, webhook
from flowrex.notify.message import Message
from flowrex.secret import Secret
from generator.environment.telling import Notify as Settings
from generator.release import Release
from generator.watch import Clock, Event

# In Vault's kv/flowrex/deployer.
SECRET = "flowrex/deployer"  # noqa: S105 - where they are
WEBHOOK_URL = "webhook_url"
MAIL_PASSWORD = "smtp_password"  # noqa: S105 - a key's name
_PAUSE_S = 1.0
_WORDS = {
    "done": "is done",
    "canary": "waits: its canary is healthy",
    "failed": "FAILED",
    "refused": "was refused",
    "stale": "stopped: its plan was stale",
    "interrupted": "was interrupted",
    "unreachable": "lost a server",
    "lock-lost": "lost its lock",
}


def message_of(record: Release) -> Message:
    """Return what people are told of a change. Pure.

    Args:
        record: of the change, as it ended.
    """
    what = f"{record.kind} of {record.version}" if record.version else record.kind
    word = _WORDS.get(record.outcome, f"ended: {record.outcome}")
    lines = [f"By {record.who}" + (f": {record.reason}" if record.reason else "")]
    lines += [
        f"{name}: {job.get('result')}"
        + ("" if job.get("version") is None else f", version {job.get('version')}")
        for name, job in record.jobs.items()
        if job.get("result") != "unchanged"
    ]
    if record.message:
        lines.append(record.message)
    if record.backup:
        lines.append(f"Backup from before: {record.backup}")
    lines.append(f"See it: flowrexctl releases show {record.environment} {record.id}")
    if record.outcome == "canary":
        lines.append(f"Promote it: flowrexctl promote {record.environment}")
    return Message(
        f"release-{record.id}",
        f"[{record.environment}] {what} {word}",
        "\n".join(lines),
        record.ended or record.started,
    )


@dataclass(frozen=True)
class Notifier:
    """Sends messages.

    Attributes:
        settings: by which channels.
        secrets: reads the channels' secrets, by name.
        host: this machine, in an e-mail's id.
        tell: gets an event for each channel that took a message, or did not.
        clock: waits between two tries.
    """

    settings: Settings
    secrets: Callable[[], Mapping[str, Secret]]
    host: str
    tell: Callable[[Event], None]
    clock: Clock

    def begin(self, message: Message) -> Callable[[], None]:
        """Begin to send a message by every channel that is on, each in a thread of its own.

        Args:
            message: what to tell.

        Returns:
            What waits until each channel has taken it or was given up.
        """
        on = {"webhook": self.settings.webhook.enabled, "mail": self.settings.mail.enabled}
        threads = [
            threading.Thread(target=self._send, args=(name, message), daemon=True)
            for name, enabled in on.items()
            if enabled
        ]
        for thread in threads:
            thread.start()

        def finish() -> None:
            for thread in threads:
                thread.join()

        return finish

    def _send(self, channel: str, message: Message) -> None:
        end = self.clock.now() + seconds(self.settings.give_up)
        pause_s = _PAUSE_S
        while True:
            try:
                self._try(channel, message)
            except ServerUnreachable as error:
                # One that asks for no pause at all would be asked without end.
                asked_s = error.after_s if isinstance(error, webhook.Later) else 0.0
                wait_s = max(asked_s, pause_s)
                if self.clock.now() + wait_s >= end:
                    self._failed(channel, error)
                    return
                self.clock.sleep(wait_s)
                pause_s *= 2
            except FlowrexError as error:
                self._failed(channel, error)
                return
            else:
                self.tell(Event("", "notified", f"told by {channel}"))
                return

    def _failed(self, channel: str, error: FlowrexError) -> None:
        text = f"nobody was told by {channel}: {error.message}"
        self.tell(Event("", "notify-failed", text))

    def _try(self, channel: str, message: Message) -> None:
        if channel == "webhook":
            settings = self.settings.webhook
            address = self._secret(WEBHOOK_URL)
            webhook.send(message, address, timeout_s=seconds(settings.timeout))
            return
        password = self._secret(MAIL_PASSWORD) if self.settings.mail.user else None
        mail.send(message, self.settings.mail, password, node=self.host)

    def _secret(self, name: str) -> Secret:
        found = self.secrets().get(name)
        if found is None:
            raise ConfigurationError(f"Vault has no {name} in {SECRET}")
        return found
