"""The task `audit`: polls the files and lets a lane for each sink ship them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from agents import wake
from agents.audit.lane import Lane
from agents.audit.lock import held
from agents.audit.metrics import families
from agents.audit.polling import Polling
from agents.audit.removed import Removed
from agents.audit.tail import Tail
from agents.context import Context
from agents.task import Beat
from agents.threads import in_daemon_thread

log = logging.getLogger(__name__)

# A step is a few requests, each with a limit of its own; what takes longer is stuck. One that reads
# all of a sink takes as long as it takes, and tells that it gets on.
_LONGEST_STEP_S = 900
# A look reads folders and one status of each file; a hanging file system is what keeps it so long.
_LONGEST_LOOK_S = 60.0
_BEAT_S = 5.0
_LAST_FLUSH_S = 20.0
_FORGET_AFTER_S = 90 * 86_400
_MANY_POSITIONS = 2000


class Audit:
    """Ships the audit log of this node."""

    name = "audit"
    stall_s = 120.0

    def __init__(
        self, context: Context, tail: Tail, lanes: Sequence[Lane], *, poll_s: float
    ) -> None:
        """Prepare.

        Args:
            context: the surroundings.
            tail: the files.
            lanes: one for each sink.
            poll_s: seconds between two looks at the files.
        """
        self._context = context
        self._clock = context.clock
        self._tail = tail
        self._lanes = lanes
        self._poll_s = poll_s
        self._truncated = 0
        self._removed = Removed(tail, lanes, context.state(self.name) / "waiting")
        self._looking = threading.Lock()
        self._ended = False

    async def run(self, beat: Beat) -> None:
        """Ship until cancelled; then ship once more what there is, as far as time allows."""
        with held(self._context.state(self.name)):
            self._ended = False
            self._removed.begin(self._clock.monotonic())
            try:
                async with asyncio.TaskGroup() as group:
                    for lane in self._lanes:
                        group.create_task(lane.run(), name=f"audit {lane.name}")
                    group.create_task(self._watch(beat), name="audit watch")
            except asyncio.CancelledError:
                await self._ship_the_last()
                raise
            finally:
                await in_daemon_thread(self._end, name="audit end")

    async def flush_now(self, *, sink: str | None = None, within_s: float = 30) -> bool:
        """Ship all that is in the files now, at once.

        Args:
            sink: to this one only.
            within_s: seconds to wait.

        Returns:
            Whether every sink has it, or the one that was named.
        """
        await self._poll()
        chosen = [lane for lane in self._lanes if sink in {None, lane.name}]
        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(lane.flushed() for lane in chosen))
        except TimeoutError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        """Return how far behind each sink is, and why."""
        return {
            "files": len(self._tail.files),
            "refused_files": dict(list(self._tail.refused.items())[:20]),
            "truncated": self._truncated,
            "saved_files": len(self._tail.saved),
            "unsaved_bytes": self._removed.unsaved,
            "sinks": {lane.name: lane.document() for lane in self._lanes},
            "problem": "; ".join(self._problems()),
        }

    def metrics(self) -> Iterator[Any]:
        """Yield the metric families."""
        yield from families(
            self._lanes,
            len(self._tail.files),
            self._truncated,
            saved=self._tail.saved_bytes(),
            unsaved=self._removed.unsaved,
        )

    def _problems(self) -> Iterator[str]:
        for lane in self._lanes:
            yield from (f"{lane.name}: {trouble}" for trouble in lane.troubles)
        if self._removed.problem:
            yield self._removed.problem

    async def _watch(self, beat: Beat) -> None:
        await self._poll()
        with Polling(self._look, self._poll_s, self._clock) as polling:
            while True:
                polling.check()
                if self._gets_on() and polling.silent_s < _LONGEST_LOOK_S:
                    beat()
                reason = await self._context.wake.wait(wake.AUDIT, _BEAT_S)
                if reason is None:
                    continue
                await self._poll()
                log.info("shipping the audit log's tail at once", extra={"reason": reason})
                for lane in self._lanes:
                    lane.flush()

    def _gets_on(self) -> bool:
        return all(lane.silent_s() < _LONGEST_STEP_S for lane in self._lanes)

    async def _poll(self) -> None:
        """Look now; all that is in the files at this moment is seen when it returns."""
        for lane in await in_daemon_thread(self._look, name="audit look"):
            lane.wake()

    def _look(self) -> list[Lane]:
        """Look once, in a thread; return the lanes that have something to ship."""
        with self._looking:
            if self._ended:  # a look that was late must open nothing again
                return []
            now = self._clock.monotonic()
            self._tail.poll(now)
            ready = [lane for lane in self._lanes if lane.look()]
            self._truncated += len(self._tail.cut_off)
            for file in list(self._tail.cut_off):
                self._tail.forget(file)
            for file in self._tail.all():
                if self._tail.finished(file, now) and not any(
                    str(file.path) in lane.lag.files or lane.shipper.cursor is None
                    for lane in self._lanes
                ):
                    self._tail.forget(file)
            for lane in self._lanes:
                self._prune(lane)
            self._removed.look(now)
            return ready

    def _end(self) -> None:
        with self._looking:
            try:
                self._removed.end(self._clock.monotonic())
            except Exception:
                log.exception("the rest of removed files can't be saved")  # and the stop goes on
            self._tail.close()
            self._ended = True

    def _prune(self, lane: Lane) -> None:
        cursor = lane.shipper.cursor
        if cursor is not None and len(cursor.files) > _MANY_POSITIONS:
            before = self._clock.now().timestamp() - _FORGET_AFTER_S
            lane.shipper.prune({file.id for file in self._tail.readable()}, before)

    async def _ship_the_last(self) -> None:
        """Ship what is left: a removed file can't be opened by the next process."""
        await in_daemon_thread(self._look, name="audit poll")
        self._tail.now_finished()
        steps = [
            asyncio.create_task(lane.flushed_to_the_end(), name=f"audit last {lane.name}")
            for lane in self._lanes
        ]
        done, late = await asyncio.wait(steps, timeout=_LAST_FLUSH_S)
        for one in late:
            one.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*late, return_exceptions=True)
        behind = {lane.name: lane.lag.bytes for lane in self._lanes if lane.lag.bytes}
        log.info("audit shipping stopped", extra={"sinks": len(done), "behind_bytes": behind})
