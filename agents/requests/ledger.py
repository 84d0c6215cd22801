"""What this process knows of its requests: the journal, and what Consul has not been told yet."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace

from agents.requests.journal import Entry, Journal
from flowrex.node_requests import Answer

_log = logging.getLogger(__name__)


class Ledger:
    """The requests of one node.

    Attributes:
        entries: the journal's, by id.
        untold: final answers that Consul may not have.
        counts: how many have ended, by kind and state.
        last: the answer that was given last.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.entries: dict[str, Entry] = {}
        self.untold: dict[str, Answer] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.last: Answer | None = None

    async def load(self) -> None:
        """Take up what an earlier life left."""
        self.entries = await asyncio.to_thread(self._journal.load)
        for entry in self.entries.values():
            if entry.answer is not None:
                self.untold[entry.id] = entry.answer

    async def note(self, entry: Entry) -> None:
        """Write an entry.

        Raises:
            OSError: it can't be written, so what it announces must not be done.
        """
        await asyncio.to_thread(self._journal.write, entry)
        self.entries[entry.id] = entry

    async def end(self, entry: Entry, answer: Answer) -> None:
        """Take a final answer; it is told from now on until Consul has it."""
        ended = replace(entry, step="ended", answer=answer)
        self.entries[entry.id] = ended
        self.untold[entry.id] = answer
        self.count(entry.request.kind if entry.request else "unreadable", answer)
        _log.info(
            "request has ended",
            extra={"request": entry.id, "state": answer.state, "why": answer.message},
        )
        try:
            await asyncio.to_thread(self._journal.write, ended)
        except OSError as error:
            # The answer in Consul says it as well, and a restart reads it there.
            _log.error(
                "a request's end can't be written down",
                extra={"request": entry.id, "error": str(error)},
            )

    def count(self, kind: str, answer: Answer) -> None:
        """Count an ended request."""
        self.counts[kind, answer.state] += 1
        self.last = answer

    async def forget(self, request_id: str) -> None:
        """Remove an entry."""
        self.entries.pop(request_id, None)
        self.untold.pop(request_id, None)
        try:
            await asyncio.to_thread(self._journal.remove, request_id)
        except OSError as error:
            # The next life finds it, and forgets it in its turn.
            _log.error(
                "a request's journal can't be removed",
                extra={"request": request_id, "error": str(error)},
            )
