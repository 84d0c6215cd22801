"""A store that is dead for a day: the agent waits, keeps little, and catches up by itself."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.audit.lane import Lane
from agents.audit.task import Audit
from agents.context import Context
from agents.settings import load
from agents.supervised import Beat
from agents.wake import Wake
from tests.faults.audit.shipping import Shipping
from tests.faults.s3_proxy import Deed, Proxy

pytestmark = pytest.mark.ci

HOUR_S = 3600.0
# One hour of the agent's day is this long.
REAL_HOUR_S = 0.5
# What waits is in the audit files. The agent's own folder has its cursor and one segment.
MOST_KEPT_BYTES = 64 << 10


class QuickClock:
    """A clock that goes so fast that a day is over in seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._at = datetime.now(UTC) - timedelta(days=2)

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * HOUR_S / REAL_HOUR_S

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds * REAL_HOUR_S / HOUR_S)


def context_of(folder: Path, clock: QuickClock) -> Context:
    (folder / "agent.yaml").write_text("{}\n")
    settings = replace(load(folder / "agent.yaml"), state_dir=str(folder / "agent"))

    def nobody() -> Any:
        raise AssertionError("shipping asks nobody but the store")

    return Context(settings, "n1", nobody, nobody, nobody, clock=clock, wake=Wake(clock))


def kept_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def test_a_day_without_the_store_is_survived_and_caught_up_with(
    shipping: Shipping, proxy: Proxy
) -> None:
    clock = QuickClock()
    lane = Lane(shipping.shipper(), clock)
    # The thread that looks at the files waits by the machine's own clock.
    poll_s = 600 * REAL_HOUR_S / HOUR_S
    task = Audit(context_of(shipping.folder, clock), lane.shipper.tail, [lane], poll_s=poll_s)
    proxy.fault("", "", Deed.REFUSE)
    running = asyncio.create_task(task.run(Beat(clock)))
    try:
        for _ in range(24):
            shipping.writer.write(200)
            await clock.sleep(HOUR_S)
            shipping.writer.rotate()
        assert lane.problem
        assert lane.failures > 5
        assert lane.lag.bytes > 24 * MOST_KEPT_BYTES / 10
        assert kept_bytes(shipping.folder / "state") < MOST_KEPT_BYTES
        proxy.heal()
        assert await task.flush_now(within_s=60)
        assert not lane.problem
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    shipping.assert_all_there_once()
