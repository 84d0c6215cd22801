"""The episode on disk: written before each step and after it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from agents.emergency.episode import Episode, as_document, from_document
from flowrex.files import write_atomic

_log = logging.getLogger(__name__)


class Journal:
    """One file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "episode.json"

    def load(self) -> Episode | None:
        """Return the last episode; None where there was none.

        One that can't be read is put aside: the emergency, if there is one, begins anew for this
        node, since a step too many is better than one too few.
        """
        try:
            return from_document(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            aside = self._path.with_suffix(".unreadable")
            _log.error(
                "the journal of the emergency can't be read and is put aside",
                extra={"path": str(self._path), "aside": str(aside), "error": str(error)},
            )
            self._path.replace(aside)
            return None

    def write(self, episode: Episode) -> None:
        """Write the episode, so that a crash leaves the old or the new one.

        Raises:
            OSError: it can't be written.
        """
        write_atomic(self._path, json.dumps(as_document(episode)), mode=0o600)
