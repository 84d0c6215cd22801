"""Alarms: raised once, told once, cleared once."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from agents.clock import Clock
from agents.physical.archiver import Alarm

log = logging.getLogger(__name__)


class Alarms:
    """What is wrong now, by who found it."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none.

        Args:
            clock: tells since when.
        """
        self._clock = clock
        self._raised: dict[str, dict[str, tuple[Alarm, datetime]]] = {}

    def report(self, source: str, found: Iterable[Alarm]) -> None:
        """Take note of what a look found; what it does not find any more is cleared.

        Args:
            source: who looked; it clears its own alarms only.
            found: what is wrong.
        """
        before = self._raised.get(source, {})
        now: dict[str, tuple[Alarm, datetime]] = {}
        for alarm in found:
            since = before[alarm.name][1] if alarm.name in before else self._clock.now()
            now[alarm.name] = (alarm, since)
            if alarm.name not in before:
                log.error("alarm raised", extra={"alarm": alarm.name, "why": alarm.text})
        for name in before.keys() - now.keys():
            log.warning("alarm cleared", extra={"alarm": name})
        self._raised[source] = now

    @property
    def names(self) -> list[str]:
        """The names of what is wrong."""
        return sorted(name for found in self._raised.values() for name in found)

    def document(self) -> list[dict[str, Any]]:
        """Return what `status` shows."""
        return [
            {"alarm": name, "since": since.isoformat(), "why": alarm.text}
            for found in self._raised.values()
            for name, (alarm, since) in sorted(found.items())
        ]
