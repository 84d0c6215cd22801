"""Alarms: raised once, cleared once, and known after a restart.

Each capability keeps its own in `<state_dir>/alarms/<capability>.json`; `agents.notify.alarms`
reads those files and tells people.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.clock import Clock
from flowrex.files import write_atomic

log = logging.getLogger(__name__)

FOLDER = "alarms"


@dataclass(frozen=True)
class Alarm:
    """Something that must not stay so.

    Attributes:
        name: what kind of thing, one word or two, stable.
        text: what is wrong and what to do, in a sentence or two.
    """

    name: str
    text: str


@dataclass(frozen=True)
class Raised:
    """An alarm that is not over.

    Attributes:
        source: who found it.
        alarm: what is wrong; its text is of when it was raised.
        since: since when, aware.
    """

    source: str
    alarm: Alarm
    since: datetime


class Alarms:
    """What is wrong now, by who found it."""

    def __init__(self, clock: Clock, path: Path) -> None:
        """Begin with those that the last life of the agent left.

        Args:
            clock: tells since when.
            path: the file that they are kept in.
        """
        self._clock = clock
        self._path = path
        self._raised: dict[str, dict[str, tuple[Alarm, datetime]]] = {}
        try:
            for one in read(path):
                self._raised.setdefault(one.source, {})[one.alarm.name] = (one.alarm, one.since)
        except ValueError as error:
            # They are found again; told twice is better than not at all.
            log.warning("the record of alarms is unreadable", extra={"error": str(error)})

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
        if before.keys() != now.keys():
            self._save()

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

    def _save(self) -> None:
        document = {
            source: {
                name: {"text": alarm.text, "since": since.isoformat()}
                for name, (alarm, since) in found.items()
            }
            for source, found in self._raised.items()
            if found
        }
        try:
            write_atomic(self._path, json.dumps(document, indent=1) + "\n", mode=0o600)
        except OSError as error:
            # A full disk must not end what finds the alarms; they are in the log and the status.
            log.error("alarms can't be written", extra={"error": str(error)})


def read(path: Path) -> list[Raised]:
    """Return the alarms of a file; none where there is no file.

    Raises:
        ValueError: it can't be read, so that nothing is known of them.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    try:
        return [
            Raised(source, Alarm(name, str(one["text"])), _aware(one))
            for source, found in document.items()
            for name, one in found.items()
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error!r}") from error


def _aware(one: Mapping[str, Any]) -> datetime:
    since = datetime.fromisoformat(one["since"])
    if since.tzinfo is None:
        raise ValueError("a time has no zone")
    return since
