"""From the entries in Consul to the requests that are to be done, each of them once."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime

from agents.context import Context
from agents.requests.acceptance import forgotten, objection
from agents.requests.answers import Answers
from agents.requests.journal import Entry, may_be_kept
from agents.requests.ledger import Ledger
from flowrex import keys
from flowrex.consul import KVEntry
from flowrex.duration import seconds
from flowrex.errors import ConfigurationError
from flowrex.node_requests import Answer, Request, parse_request

_log = logging.getLogger(__name__)

_PRUNE_S = 3600.0


class Intake:
    """Takes requests, refuses them, and forgets what is over."""

    def __init__(
        self, context: Context, ledger: Ledger, answers: Answers, kinds: Collection[str]
    ) -> None:
        """Prepare.

        Args:
            context: the surroundings.
            ledger: where each is noted.
            answers: where each is answered.
            kinds: what this node can do.
        """
        self._context = context
        self._ledger = ledger
        self._answers = answers
        self._kinds = kinds
        self._prefix = keys.request(context.node, "")
        self._max_age_s = seconds(context.settings.requests.max_age)
        self._keep_s = seconds(context.settings.requests.keep)
        self._taken: set[str] = set()
        self._refused: set[str] = set()  # answered, and not in the journal
        self._pruned = float("-inf")

    async def consider(self, listed: list[KVEntry]) -> list[Entry]:
        """Return what is to be done now, the oldest first.

        Args:
            listed: every request in Consul.

        Raises:
            ServerUnreachable: Consul went away; what was not looked at is so the next time.
        """
        asked = {one.key.removeprefix(self._prefix): one for one in listed}
        asked.pop("", None)
        self._refused &= asked.keys()
        await self._end_withdrawn(asked)
        taken = []
        for request_id, entry in asked.items():
            if request_id in self._taken or request_id in self._refused:
                continue
            known = self._ledger.entries.get(request_id)
            if known is not None and known.step != "claiming":
                continue
            if (new := await self._take(request_id, entry, known)) is not None:
                taken.append(new)
        await self._prune(asked)
        return taken

    async def is_withdrawn(self, request: Request) -> bool:
        """Tell whether the operator took a request back before it had begun."""
        key = self._prefix + request.id
        return await asyncio.to_thread(lambda: self._context.consul().kv_get(key)) is None

    def withdrawn(self, entry: Entry) -> Answer:
        """Return the answer to a request that was taken back."""
        text = "it was withdrawn before it had begun"
        return Answer(entry.id, "refused", self._now(), text, {"exit_status": 7}, entry.claim)

    async def _take(self, request_id: str, listed: KVEntry, known: Entry | None) -> Entry | None:
        request, why = self._read(request_id, listed)
        if request is None:
            await self._refuse(request_id, known, why)
            return None
        entry = known or Entry(request_id, "claiming", secrets.token_hex(8), request)
        if known is None:
            try:
                await self._ledger.note(entry)
            except OSError as error:
                await self._turn_away(entry, request, error)
                return None
        node = self._context.node
        text = f"the agent of {node} has taken it"
        accepted = Answer(request_id, "accepted", self._now(), text, {"node": node}, entry.claim)
        if not await asyncio.to_thread(self._answers.claim, accepted):
            # It was done in a life whose journal is lost, or another agent has this node's name.
            self._refused.add(request_id)
            await self._ledger.forget(request_id)
            return None
        self._taken.add(request_id)
        _log.info(
            "request is taken",
            extra={"request": request_id, "kind": request.kind, "by": request.by},
        )
        return entry

    async def _turn_away(self, entry: Entry, request: Request, error: OSError) -> None:
        """Answer what can't be written down, and so must not be done; what runs goes on."""
        why = f"it was not taken: {error.strerror} ({self._context.settings.state_dir})"
        answer = Answer(entry.id, "failed", self._now(), why, {"exit_status": 1}, entry.claim)
        if await asyncio.to_thread(self._answers.claim, answer):
            _log.error("request is not taken", extra={"request": entry.id, "why": why})
            self._ledger.count(request.kind, answer)
        self._refused.add(entry.id)

    def _read(self, request_id: str, listed: KVEntry) -> tuple[Request | None, str]:
        """Return the request, or why it is not done."""
        try:
            if not may_be_kept(request_id):
                raise ConfigurationError("the id has characters that no id has", path=listed.key)
            request = parse_request(listed.key, listed.value)
        except ConfigurationError as error:
            return None, error.message
        why = objection(
            request,
            now=self._context.clock.now(),
            max_age_s=self._max_age_s,
            kinds=self._kinds,
            node=self._context.node,
        )
        return (None, why) if why else (request, "")

    async def _refuse(self, request_id: str, known: Entry | None, why: str) -> None:
        claim = known.claim if known else secrets.token_hex(8)
        answer = Answer(request_id, "refused", self._now(), why, {"exit_status": 7}, claim)
        if await asyncio.to_thread(self._answers.claim, answer):
            _log.warning("request is refused", extra={"request": request_id, "why": why})
            if known is not None:  # `accepted` may stand there from an earlier life
                await self._ledger.end(known, answer)
            else:
                self._ledger.count("refused", answer)
        elif known is not None:
            await self._ledger.forget(request_id)
        self._refused.add(request_id)

    async def _end_withdrawn(self, asked: Mapping[str, KVEntry]) -> None:
        for entry in list(self._ledger.entries.values()):
            if entry.step == "claiming" and entry.id not in asked and entry.id not in self._taken:
                await self._ledger.end(entry, self.withdrawn(entry))

    async def _prune(self, asked: Mapping[str, KVEntry]) -> None:
        now = self._context.clock.monotonic()
        if now - self._pruned < _PRUNE_S:
            return
        # Read after the requests were: an answer whose request came in between is young.
        answers = await asyncio.to_thread(self._answers.all)
        for request_id in forgotten(
            self._ledger.entries.values(),
            answers,
            listed=asked,
            now=self._context.clock.now(),
            keep_s=self._keep_s,
        ):
            await asyncio.to_thread(self._answers.remove, request_id)
            await self._ledger.forget(request_id)
        self._pruned = now

    def _now(self) -> str:
        return _iso(self._context.clock.now())


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
