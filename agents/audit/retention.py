"""The task `audit-retention`: looks once a day for segments whose time is over."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from agents.audit.due import Due, due, horizon
from agents.audit.expire import Places, remove, told
from agents.audit.own import OwnTrail
from agents.context import Context
from agents.settings.audit import Retention as Rule
from agents.task import Beat
from agents.threads import in_daemon_thread
from flowrex.audit.segment import SUFFIX, prefix
from flowrex.s3 import ObjectEntry

log = logging.getLogger(__name__)

_AT_ONCE = 500
_LOOK_S = 3600.0
_PORTION_S = 3600.0
_FIRST_AFTER_S = 300.0
_BEAT_S = 60.0
_KEEP_OWN_S = 86_400.0


def find(places: Places, node: str, rules: Mapping[str, Rule], now: datetime) -> Iterator[Due]:
    """Yield the segments of a node whose time is over; a dry run is this and no more.

    The bucket is listed twice, since there may be more segments than memory has room for.

    Args:
        places: where they are.
        node: the node.
        rules: by class, how long it is kept.
        now: the time by the node's clock.

    Raises:
        FlowrexError: the store can't be asked.
    """
    until = horizon(_segments(places, node), now)
    yield from due(_segments(places, node), rules, until)


def _segments(places: Places, node: str) -> Iterator[ObjectEntry]:
    for entry in places.client().list(places.bucket, prefix(node)):
        if entry.key.endswith(SUFFIX):
            yield entry


class AuditRetention:
    """Removes what is too old, a portion at a time."""

    name = "audit-retention"
    stall_s = 7200.0

    def __init__(
        self,
        context: Context,
        places: Places,
        own: OwnTrail,
        *,
        interval_s: float,
        shipped: Callable[[], Awaitable[bool]],
    ) -> None:
        """Prepare.

        Args:
            context: the surroundings.
            places: where segments are.
            own: the agent's own records.
            interval_s: seconds between two looks.
            shipped: ships what is in the files now; returns whether the bucket has it.
        """
        self._context = context
        self._places = places
        self._own = own
        self._interval_s = interval_s
        self._shipped = shipped
        self._last: dict[str, Any] = {}
        self._total = 0

    async def run(self, beat: Beat) -> None:
        """Look until cancelled."""
        await self._rest(beat, min(_FIRST_AFTER_S, self._interval_s))
        while True:
            await self.look(beat)
            await self._rest(beat, self._interval_s)

    async def look(self, beat: Beat) -> int:
        """Look once, and remove what is to be removed.

        Args:
            beat: tells that this gets on.

        Returns:
            How many segments are gone.
        """
        context, rules = self._context, self._context.settings.audit.kept()
        found = find(self._places, context.node, rules, context.clock.now())
        chosen, gone = 0, 0
        while portion := await self._next(found, beat):
            chosen += len(portion)
            with beat.allow(_PORTION_S):
                gone += await self._portion(portion)
        self._last = {
            "at": context.clock.now().isoformat(timespec="seconds"),
            "due": chosen,
            "removed": gone,
        }
        self._total += gone
        await self._tidy()
        return gone

    async def _next(self, found: Iterator[Due], beat: Beat) -> list[Due]:
        with beat.allow(_LOOK_S):
            return await in_daemon_thread(
                lambda: list(islice(found, _AT_ONCE)), name="audit retention"
            )

    async def _tidy(self) -> None:
        """Remove the agent's own old files, which the bucket has."""
        before = self._context.clock.now().timestamp() - _KEEP_OWN_S
        old = [path for path in self._own.old_files() if path.stat().st_mtime < before]
        if old and await self._shipped():
            for path in old:
                path.unlink()

    async def _portion(self, chosen: list[Due]) -> int:
        now = self._context.clock.now()
        ready = await in_daemon_thread(
            partial(told, self._places, chosen, self._own, now), name="audit retention"
        )
        if not ready:
            return 0
        if not await self._shipped():
            log.warning("the records of what is to be removed are not shipped yet: all stays")
            return 0
        gone = await in_daemon_thread(partial(remove, self._places, ready), name="audit retention")
        log.info("segments were removed, their time was over", extra={"segments": gone})
        return gone

    def status(self) -> dict[str, Any]:
        """Return what the last look did."""
        return {"last": self._last}

    def metrics(self) -> Iterator[Any]:
        """Yield the count of what was removed."""
        from prometheus_client.core import CounterMetricFamily

        yield CounterMetricFamily(
            "flowrex_audit_expired_segments",
            "Segments that were removed or moved because their time was over.",
            value=self._total,
        )

    async def _rest(self, beat: Beat, seconds: float) -> None:
        end = self._context.clock.monotonic() + seconds
        while (left := end - self._context.clock.monotonic()) > 0:
            beat()
            await self._context.clock.sleep(min(left, _BEAT_S))
