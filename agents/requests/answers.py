"""The answers of one node in Consul: claimed once, then written by their owner only."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from flowrex import keys
from flowrex.consul import ConsulClient, KVEntry
from flowrex.errors import ConfigurationError
from flowrex.node_requests import Answer, parse_answer

_log = logging.getLogger(__name__)

# Consul takes 512 KiB for a value.
_LARGEST = 500_000
_TRIES = 5


class Answers:
    """Reads and writes them. Every call asks Consul, so call it from a thread."""

    def __init__(self, consul: Callable[[], ConsulClient], node: str) -> None:
        self._consul = consul
        self._node = node

    def key(self, request_id: str) -> str:
        """Return the key of an answer."""
        return keys.answer(self._node, request_id)

    def claim(self, answer: Answer) -> bool:
        """Write the first answer to a request, unless there is one.

        Returns:
            Whether it was the first; also where an earlier try of the same claim was, whose own
            return was lost.
        """
        if self._consul().kv_put(self.key(answer.id), answer.encode(), cas=0):
            return True
        there = self.read(answer.id)
        return there is not None and there.claim == answer.claim != ""

    def read(self, request_id: str) -> Answer | None:
        """Return the answer in Consul; None where there is none."""
        return self._parse(self._consul().kv_get(self.key(request_id)))

    def write(self, answer: Answer) -> None:
        """Write an answer over an earlier one of the same claim.

        Raises:
            ServerUnreachable: it is not written; Consul is away.
        """
        consul, key = self._consul(), self.key(answer.id)
        content = _fitting(answer).encode()
        for _ in range(_TRIES):
            entry = consul.kv_get(key)
            there = self._parse(entry)
            if there is not None and there.claim != answer.claim:
                _log.error(
                    "another agent answers this node's request",
                    extra={"request": answer.id, "its_claim": there.claim},
                )
                return
            if there == answer:
                return
            if consul.kv_put(key, content, cas=entry.modify_index if entry else 0):
                return
        _log.error("the answer is changed by somebody all the time", extra={"request": answer.id})

    def all(self) -> list[Answer]:
        """Return every answer of this node."""
        found = (self._parse(one) for one in self._consul().kv_list(self.key("")))
        return [one for one in found if one is not None]

    def remove(self, request_id: str) -> None:
        """Forget an answer."""
        self._consul().kv_delete(self.key(request_id))

    def _parse(self, entry: KVEntry | None) -> Answer | None:
        if entry is None:
            return None
        try:
            return parse_answer(entry.key, entry.value)
        except ConfigurationError as error:
            _log.error("an answer can't be read", extra={"error": error.message})
            # Somebody wrote it, so the request is not ours to begin.
            return Answer(entry.key.removeprefix(self.key("")), "failed", "", error.message)


def _fitting(answer: Answer) -> Answer:
    """Return the answer without its result where Consul would not take it, and say so."""
    if len(answer.encode()) <= _LARGEST:
        return answer
    size = len(json.dumps(dict(answer.result)))
    return answer.now(
        answer.state,
        answer.at,
        f"{answer.message} (Its result has {size} bytes, more than Consul takes; ask for less, or "
        "ask flowrex-agent on the node.)".strip(),
    )
