"""The task `notify`: sends what waits in the spool, each channel for itself, until it is taken."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from agents.backoff import Backoff
from agents.context import Context
from agents.notify.secrets import MAIL_PASSWORD, WEBHOOK_URL, find
from agents.notify.spool import Spool, Waiting
from agents.settings.emergency import Notify as Settings
from agents.task import Beat
from agents.threads import in_daemon_thread
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError, FlowrexError, ServerRefused, ServerUnreachable
from flowrex.notify import mail, webhook

_log = logging.getLogger(__name__)

CHANNELS = ("webhook", "mail")
_LOOK_S = 30.0
_TRY_S = 120.0


def bell(channel: str) -> str:
    """Return the bell that is rung for a new message."""
    return f"notify-{channel}"


def channels(settings: Settings) -> tuple[str, ...]:
    """Return the channels that are switched on."""
    on = {"webhook": settings.webhook.enabled, "mail": settings.mail.enabled}
    return tuple(name for name in CHANNELS if on[name])


class Notify:
    """Sends messages."""

    name = "notify"
    stall_s = 300.0

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.settings.notify
        self._spool = Spool(context.state(self.name))
        self._backoff = Backoff(seconds(self._settings.retry), seconds(self._settings.retry_max))
        self._give_up_s = seconds(self._settings.give_up)
        self._problems: dict[str, str] = {}
        self._waiting: Counter[str] = Counter()
        self._counts: Counter[tuple[str, str]] = Counter()

    async def run(self, beat: Beat) -> None:
        """Send until cancelled. One channel that hangs does not keep the other waiting."""
        async with asyncio.TaskGroup() as group:
            for channel in CHANNELS:
                group.create_task(self._serve(channel, beat), name=f"notify {channel}")

    def status(self) -> dict[str, Any]:
        """Return what waits, and why."""
        said = "; ".join(f"{channel}: {why}" for channel, why in self._problems.items())
        return {
            "channels": channels(self._settings),
            "waiting": self._waiting.total(),
            "problem": said,
        }

    def metrics(self) -> Iterator[Any]:
        """Yield the counts of messages."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        done = CounterMetricFamily(
            "flowrex_agent_notifications",
            "Tries to send a message, by channel and result.",
            labels=["channel", "result"],
        )
        for labels, count in sorted(self._counts.items()):
            done.add_metric(list(labels), count)
        yield done
        waiting = GaugeMetricFamily(
            "flowrex_agent_notifications_waiting", "Messages that are not sent yet."
        )
        waiting.add_metric([], self._waiting.total())
        yield waiting

    async def _serve(self, channel: str, beat: Beat) -> None:
        while True:
            beat()
            for one in await self._of(channel):
                if one.next_at <= self._context.clock.now().timestamp():
                    await self._try(one)
                    beat()
            left = await self._of(channel)
            self._note(channel, left)
            soonest = min((one.next_at for one in left), default=float("inf"))
            # Bounded, so that a clock that jumps back does not put it off for long.
            wait_s = min(_LOOK_S, soonest - self._context.clock.now().timestamp())
            await self._context.wake.wait(bell(channel), max(0.1, wait_s))

    async def _of(self, channel: str) -> list[Waiting]:
        waiting = await asyncio.to_thread(lambda: list(self._spool.waiting()))
        return [one for one in waiting if one.channel == channel]

    def _note(self, channel: str, left: list[Waiting]) -> None:
        if not left:
            self._problems.pop(channel, None)
        if len(left) != self._waiting[channel]:
            self._waiting[channel] = len(left)
            self._context.changed()

    async def _try(self, one: Waiting) -> None:
        try:
            async with asyncio.timeout(_TRY_S):
                await in_daemon_thread(lambda: self._send(one), name=f"notify {one.channel}")
        except TimeoutError:
            await self._failed(one, ServerUnreachable(f"no answer within {_TRY_S:.0f} s"))
            return
        except FlowrexError as error:
            await self._failed(one, error)
            return
        self._counts[one.channel, "sent"] += 1
        await asyncio.to_thread(self._spool.sent, one)
        _log.info("message is sent", extra={"channel": one.channel, "message_id": one.message.id})

    def _send(self, one: Waiting) -> None:
        settings = self._settings
        if one.channel == "webhook" and settings.webhook.enabled:
            address = find(self._context, WEBHOOK_URL)
            if address is None:
                raise ConfigurationError(f"there is no credential {WEBHOOK_URL}")
            webhook.send(one.message, address, timeout_s=seconds(settings.webhook.timeout))
        elif one.channel == "mail" and settings.mail.enabled:
            password = find(self._context, MAIL_PASSWORD) if settings.mail.user else None
            mail.send(one.message, settings.mail, password, node=self._context.node)
        else:
            raise ServerRefused(f"the channel {one.channel} is switched off")

    async def _failed(self, one: Waiting, error: FlowrexError) -> None:
        self._counts[one.channel, "failed"] += 1
        self._problems[one.channel] = error.message
        now = self._context.clock.now()
        wait_s = self._backoff.seconds(one.attempts + 1)
        if isinstance(error, webhook.Later):
            wait_s = max(wait_s, min(error.after_s, self._backoff.most_s))
        extra = {
            "channel": one.channel,
            "message_id": one.message.id,
            "attempts": one.attempts + 1,
            "error": error.message,
        }
        if now - _moment(one.message.at, now) > timedelta(seconds=self._give_up_s):
            # Its words are in the log, and its file is put aside: nothing is lost silently.
            _log.error(
                "message could not be sent and is given up",
                extra={**extra, "subject": one.message.subject, "text": one.message.text},
            )
            self._counts[one.channel, "given_up"] += 1
            await asyncio.to_thread(self._spool.give_up, one)
            return
        _log.warning("message is not sent yet", extra={**extra, "again_in_s": round(wait_s, 1)})
        await asyncio.to_thread(self._spool.failed, one, error.message, now.timestamp() + wait_s)


def _moment(text: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now
    return moment if moment.tzinfo else now
