"""Long work of pgBackRest's under a lock: no other node does the same meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from agents import lock
from agents.lock import HeldLock
from flowrex.consul import ConsulClient

T = TypeVar("T")
Tick = Callable[[], None]

_TICK_S = 1.0


@asynccontextmanager
async def held(
    consul: Callable[[], ConsulClient],
    key: str,
    subject: str,
    node: str,
    what: str,
    *,
    wait_s: float = 0.0,
    waiting: Callable[[str], None] = lambda holder: None,
) -> AsyncIterator[HeldLock]:
    """Hold a lock for the length of a block; `agents.lock.hold` beside an event loop.

    Args:
        consul: gives the client.
        key: the lock.
        subject: what it is of.
        node: who takes it.
        what: what for, for those who find it held.
        wait_s: seconds for which one that is held is waited for.
        waiting: told once who holds it.

    Raises:
        LockHeld: another node, or an operator, holds it.
        ServerUnreachable: Consul is away.
    """
    block = lock.hold(consul, key, subject, node, what, wait_s=wait_s, waiting=waiting)
    entering = asyncio.ensure_future(asyncio.to_thread(block.__enter__))
    try:
        found = await asyncio.shield(entering)
    except asyncio.CancelledError:
        # The thread goes on, and would leave a lock that nobody gives back.
        await entering
        await asyncio.to_thread(block.__exit__, None, None, None)
        raise
    try:
        yield found
    finally:
        await asyncio.to_thread(block.__exit__, None, None, None)


async def watched(work: Coroutine[Any, Any, T], tick: Tick) -> T:
    """Do something, and end it where `tick` raises.

    Args:
        work: what is done; it is cancelled, and waited for, where it is ended.
        tick: called every second: of a lock that is lost, or of an agent that stops, it tells.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            tick()
            await asyncio.wait({task}, timeout=_TICK_S)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def in_thread(work: Coroutine[Any, Any, T], tick: Tick) -> T:
    """Do something of the event loop's in a thread that has none, and end it where `tick` raises.

    Args:
        work: what is done.
        tick: as `watched` has it.
    """
    return asyncio.run(watched(work, tick))
