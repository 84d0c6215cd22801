"""The keeper looks at each interval, at once when asked, and never fails for an absent Vault."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace

import pytest

from agents.context import Context
from agents.credentials.clients import Seen
from agents.credentials.keeper import BELL, Keeper
from flowrex.errors import ServerUnreachable
from flowrex.testing.clock import FakeClock


class Looks:
    """What the keeper needs of the clients; each look is counted."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.seen = Seen()
        self.at: list[float] = []
        self.away = False

    def look(self) -> None:
        self.at.append(self.clock.monotonic() - 1000)
        if self.away:
            raise ServerUnreachable("Vault does not answer")

    def token_left_s(self) -> float | None:
        return 60.4


class Beats:
    def __call__(self) -> None:
        pass

    def allow(self, seconds: float) -> nullcontext[None]:
        return nullcontext()


@pytest.mark.usefixtures("inline")
async def test_it_looks_at_each_interval_and_at_once_when_a_server_refused(
    context: Context, clock: FakeClock
) -> None:
    looks = Looks(clock)
    keeper = Keeper(context, looks)  # type: ignore[arg-type]
    running = asyncio.create_task(keeper.run(Beats()))
    await clock.advance(30)
    context.wake.ring(BELL)
    await clock.advance(1)
    assert looks.at == [0, 30, 31]
    running.cancel()


@pytest.mark.usefixtures("inline")
async def test_an_absent_vault_is_a_problem_that_is_told_and_goes_over(
    context: Context, clock: FakeClock
) -> None:
    told: list[str] = []
    looks = Looks(clock)
    looks.away = True
    keeper = Keeper(
        replace(context, changed=lambda: told.append(looks.seen.problem)),
        looks,  # type: ignore[arg-type]
    )
    running = asyncio.create_task(keeper.run(Beats()))
    await clock.advance(0)
    assert keeper.status()["problem"] == "Vault does not answer"
    looks.away = False
    await clock.advance(1)
    assert keeper.status()["problem"] == ""
    assert told == ["Vault does not answer", ""]
    running.cancel()
