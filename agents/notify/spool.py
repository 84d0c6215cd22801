"""Messages on disk: `waiting/<channel>/<id>.json`, then in the list of the sent, or `given-up/`.

Writing a message twice is harmless: one that waits or was sent is known by its id.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from flowrex.files import write_atomic
from flowrex.notify.message import Message

_log = logging.getLogger(__name__)

_KEPT = 500
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class Waiting:
    """A message that waits for one channel.

    Attributes:
        channel: `webhook` or `mail`.
        message: the message.
        attempts: how often it was tried.
        next_at: when it is tried again, POSIX seconds; 0 at once.
        problem: why the last try failed.
    """

    channel: str
    message: Message
    attempts: int = 0
    next_at: float = 0.0
    problem: str = ""


class Spool:
    """A folder of messages. Its calls are short and touch the disk only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, message: Message, channels: tuple[str, ...]) -> None:
        """Write a message for each channel, unless it waits there or was sent.

        Raises:
            OSError: it can't be written.
        """
        for channel in channels:
            path = self._path(channel, message.id)
            if not path.exists() and message.id not in self._sent(channel):
                self._write(Waiting(channel, message))

    def waiting(self) -> Iterator[Waiting]:
        """Yield what waits, the oldest first; what can't be read is put aside."""
        found = []
        for path in (self._folder / "waiting").glob("*/[!.]*.json"):
            try:
                document = json.loads(path.read_bytes())
                message = Message(**document.pop("message"))
                found.append(Waiting(message=message, **document))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                _log.error(
                    "a message can't be read and is put aside",
                    extra={"path": str(path), "error": str(error)},
                )
                self._aside(path)
        yield from sorted(found, key=lambda one: (one.message.at, one.message.id, one.channel))

    def sent(self, one: Waiting) -> None:
        """Take note that a message was sent; the note comes first, so that none is sent twice."""
        known = [*self._sent(one.channel), one.message.id][-_KEPT:]
        write_atomic(self._list(one.channel), json.dumps(known), mode=0o600)
        self._path(one.channel, one.message.id).unlink(missing_ok=True)

    def failed(self, one: Waiting, problem: str, next_at: float) -> None:
        """Take note of a try that failed."""
        self._write(replace(one, attempts=one.attempts + 1, problem=problem, next_at=next_at))

    def give_up(self, one: Waiting) -> None:
        """Put a message aside that could not be sent in time."""
        self._aside(self._path(one.channel, one.message.id))

    def _aside(self, path: Path) -> None:
        folder = self._folder / "given-up"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(folder / f"{path.parent.name}-{path.name}")

    def _write(self, one: Waiting) -> None:
        path = self._path(one.channel, one.message.id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(one)), mode=0o600)

    def _sent(self, channel: str) -> list[str]:
        try:
            known = json.loads(self._list(channel).read_bytes())
        except FileNotFoundError:
            return []
        except ValueError:
            return []  # told twice is better than not at all
        return [str(one) for one in known] if isinstance(known, list) else []

    def _list(self, channel: str) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._folder / f"sent-{channel}.json"

    def _path(self, channel: str, message_id: str) -> Path:
        return self._folder / "waiting" / channel / f"{_UNSAFE.sub('_', message_id)}.json"
