"""Cancel orders and close positions until nothing is left, reading afresh after each pass.

Every step may be the last one that this process does: the next worker reads the book, and goes on
with what is still open.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from app.brokers import Broker, BrokerRefused
from app.domain.flatten import Cancel, Close, Step, pause_s, steps
from app.metrics import Metrics
from app.store import book
from app.store.emergency import Locked
from app.store.flatten import Fenced, FlattenStore, Record, Run
from flowrex.emergency import Level

_log = logging.getLogger("app.workers.flatten")


class Flatten:
    """One worker's work on emergencies; it acts only while it may."""

    def __init__(
        self,
        store: FlattenStore,
        broker: Broker,
        metrics: Metrics,
        holder: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Remember the parts.

        Args:
            store: the runs and the book.
            broker: where positions are closed.
            metrics: what is counted.
            holder: this worker's name, in every record.
            sleep: waits; tests do not.
        """
        self._store = store
        self._broker = broker
        self._metrics = metrics
        self._holder = holder
        self._sleep = sleep
        self._run: Run | None = None
        self._ended: int | None = None
        self._called_off: int | None = None
        self._closes = 0

    async def proceed(self, locked: Locked, may_act: Callable[[], bool]) -> bool:
        """Work on an emergency until it is done, or this worker may not act any more.

        Args:
            locked: the emergency, as the database holds it.
            may_act: whether this worker leads, and the emergency goes on.

        Returns:
            Whether the emergency's run has ended, now or before.

        Raises:
            DatabaseUnavailable: to be tried again.
        """
        if self._ended == locked.change:
            return True
        if self._run is None or self._run.change != locked.change:
            self._run = await self._store.take(locked, self._holder)
            if self._run is None:
                self._ended = locked.change
                return True
            _log.warning("emergency %s: level %s begins here", locked.change, locked.level.word)
        try:
            return await self._until_done(self._run, locked, may_act)
        except Fenced as error:
            _log.warning("%s", error.message)
            self._run = None
            return False

    async def call_off(self, locked: Locked) -> None:
        """End what earlier emergencies began and did not finish; what was not done is not.

        Args:
            locked: the emergency of now, whose own run goes on.
        """
        if self._called_off == locked.change:
            return
        ended = await self._store.call_off(self._holder, locked.change)
        self._called_off = locked.change
        if ended:
            _log.warning("runs of earlier emergencies called off: %d", ended)

    async def _until_done(self, run: Run, locked: Locked, may_act: Callable[[], bool]) -> bool:
        refusals = 0
        while may_act():
            left = await self._todo(locked.level)
            if not left:
                await self._store.end(run)
                self._ended = run.change
                _log.warning("emergency %s: nothing is left", run.change)
                return True
            refused = 0
            for step in left:
                if not may_act():
                    return False
                refused += not await self._do(run, step)
            refusals = refusals + 1 if refused else 0
            if refused:
                await self._sleep(pause_s(refusals))
        return False

    async def _todo(self, level: Level) -> tuple[Step, ...]:
        now = await self._store.book()
        return steps(level, now.orders, now.positions)

    async def _do(self, run: Run, step: Step) -> bool:
        """Do one step; tell whether it was not refused."""
        if isinstance(step, Cancel):
            await self._store.cancel(run, step.order_id, step.symbol)
            return True
        try:
            await self._close(run, step)
        except BrokerRefused as error:
            return await self._refused(run, step, error.message)
        except book.BookRefused as error:
            # The position changed meanwhile; the next pass reads it.
            return await self._refused(run, step, error.message)
        return True

    async def _close(self, run: Run, step: Close) -> None:
        self._closes += 1
        # Unlike in any other attempt, since a fence has one worker.
        key = f"flatten-{run.change}-{run.fence}-{self._closes}"
        await self._store.close(run, step.order, key, self._broker)
        self._metrics.trades.labels(side=step.order.side).inc()

    async def _refused(self, run: Run, step: Close, why: str) -> bool:
        _log.error("emergency %s: %s is not closed yet: %s", run.change, step.order.symbol, why)
        record = Record("refused", step.order.symbol, None, step.order.change, why)
        await self._store.record(run, record)
        return False
