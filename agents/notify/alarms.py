"""The task `alarms`: people are told of each alarm when it is raised, and when it is over: once.

What was told is kept, so that neither a restart nor the next look tells it again. A message has the
same id each time it is made: one that a death came after is known by the spool and not sent twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agents import alarms
from agents.context import Context
from agents.notify.spool import Spool
from agents.notify.task import bell, channels
from agents.task import Beat
from flowrex.duration import seconds
from flowrex.files import write_atomic
from flowrex.notify.message import Message

log = logging.getLogger(__name__)

_LOOK_S = 10.0


@dataclass(frozen=True)
class Standing:
    """An alarm as it is told.

    Attributes:
        owner: the capability: `physical`, `backup`, `snapshots`.
        source: what of it found the alarm.
        name: what kind of thing is wrong.
        text: what is wrong, in a sentence or two.
        since: since when, an ISO 8601 time with zone.
    """

    owner: str
    source: str
    name: str
    text: str
    since: str

    @property
    def key(self) -> str:
        """What tells it from every other, also from itself at another time."""
        return f"{self.owner}-{self.source}-{self.name}-{self.since}".replace(" ", "-")


def news(
    standing: Iterable[Standing],
    told: Mapping[str, Standing],
    *,
    unseen: Collection[str],
    now: datetime,
    after: timedelta,
) -> tuple[list[Standing], list[Standing]]:
    """Return what is to be told: the alarms that were raised, and those that are over. Pure.

    Args:
        standing: the alarms that are not over.
        told: those that were told, by key, and not yet that they are over.
        unseen: the owners of which nothing is known now; none of theirs counts as over.
        now: the time.
        after: how long one must have stood.
    """
    by_key = {one.key: one for one in standing}
    raised = [
        one
        for key, one in by_key.items()
        if key not in told and now - datetime.fromisoformat(one.since) >= after
    ]
    over = [one for key, one in told.items() if key not in by_key and one.owner not in unseen]
    return raised, over


def message_of(one: Standing, *, over: bool, node: str, environment: str, at: datetime) -> Message:
    """Return what people are told of an alarm.

    Args:
        one: the alarm.
        over: whether it is over.
        node: whose.
        environment: the node's.
        at: the time.
    """
    word = "over" if over else "alarm"
    lines = [
        "This is over." if over else one.text,
        f"Since: {one.since}",
        f"See it: flowrexctl agents {environment}; on the node: flowrex-agent status",
    ]
    if over:
        lines.insert(1, f"It was: {one.text}")
    return Message(
        f"{word}-{node}-{one.key}",
        f"[{environment}] {word}: {one.owner}, {one.name} on {node}",
        "\n".join(lines),
        at.isoformat(timespec="seconds"),
    )


class Alarming:
    """Tells of alarms."""

    name = "alarms"
    stall_s = 120.0

    def __init__(self, context: Context) -> None:
        """Prepare.

        Args:
            context: the surroundings; every capability's alarms are below its state.
        """
        self._context = context
        self._channels = channels(context.settings.notify)
        self._after = timedelta(seconds=seconds(context.settings.notify.alarms.after))
        self._on = context.settings.notify.alarms.enabled
        self._spool = Spool(context.state("notify"))
        self._folder = context.state(alarms.FOLDER)
        self._file = context.state("notify") / "told-alarms.json"
        self._standing: list[Standing] = []
        self._problem = ""

    async def run(self, beat: Beat) -> None:
        """Look, for ever."""
        while True:
            beat()
            if await asyncio.to_thread(self.look):
                for channel in self._channels:
                    self._context.wake.ring(bell(channel))
            await self._context.clock.sleep(_LOOK_S)

    def look(self) -> int:
        """Tell what is to be told, and return how many messages that were."""
        self._standing, unseen = self._read()
        # Nobody listens yet: what stands still is told as soon as somebody does.
        if not self._on or not self._channels:
            return 0
        told, now = self._told(), self._context.clock.now()
        raised, over = news(self._standing, told, unseen=unseen, now=now, after=self._after)
        if not raised and not over:
            return 0
        try:
            for one, is_over in (*((r, False) for r in raised), *((o, True) for o in over)):
                message = message_of(
                    one,
                    over=is_over,
                    node=self._context.node,
                    environment=self._context.settings.environment,
                    at=now,
                )
                self._spool.put(message, self._channels)
            gone = {one.key for one in over}
            kept = {key: one for key, one in told.items() if key not in gone}
            self._save({**kept, **{one.key: one for one in raised}})
        except OSError as error:
            self._problem = f"messages can't be written: {error.strerror}"
            log.error("alarms can't be told", extra={"error": str(error)})
            return 0
        self._problem = ""
        return len(raised) + len(over)

    def status(self) -> dict[str, Any]:
        """Return which alarms stand."""
        return {
            "standing": [f"{one.owner}: {one.name}" for one in self._standing],
            "problem": self._problem,
        }

    def metrics(self) -> Iterator[Any]:
        """Yield how many alarms stand, by capability."""
        from prometheus_client.core import GaugeMetricFamily

        found = GaugeMetricFamily(
            "flowrex_agent_alarms", "Alarms that are not over, by capability.", labels=["of"]
        )
        for owner in sorted({one.owner for one in self._standing}):
            found.add_metric([owner], sum(one.owner == owner for one in self._standing))
        yield found

    def _read(self) -> tuple[list[Standing], set[str]]:
        standing, unseen = [], set()
        for path in sorted(self._folder.glob("[!.]*.json")):
            capability = getattr(self._context.settings, path.stem, None)
            if capability is not None and not capability.enabled:
                continue  # whoever switched it off has nothing of it to wait for
            try:
                standing += [
                    Standing(
                        path.stem, one.source, one.alarm.name, one.alarm.text, one.since.isoformat()
                    )
                    for one in alarms.read(path)
                ]
            except ValueError as error:
                unseen.add(path.stem)
                log.warning("alarms can't be read", extra={"error": str(error)})
        return standing, unseen

    def _told(self) -> dict[str, Standing]:
        try:
            found = [Standing(**one) for one in json.loads(self._file.read_text())]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            # The spool knows what was sent lately, so that little is told twice.
            log.warning("the record of told alarms is unreadable", extra={"error": str(error)})
            return {}
        return {one.key: one for one in found}

    def _save(self, told: Mapping[str, Standing]) -> None:
        text = json.dumps([asdict(one) for one in told.values()], indent=1) + "\n"
        write_atomic(Path(self._file), text, mode=0o600)
