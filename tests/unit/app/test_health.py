from __future__ import annotations

import asyncio

import pytest

from app.health import Probe, ask_all
from flowrex.errors import ServerUnreachable

SHORT_S = 0.01


class Dependency:
    """Works, fails or hangs, and counts how often it was asked."""

    def __init__(self, *, error: Exception | None = None, hangs: bool = False) -> None:
        self.error = error
        self.hangs = hangs
        self.asked = 0
        self.released = asyncio.Event()

    async def ask(self) -> None:
        self.asked += 1
        if self.hangs:
            await self.released.wait()
        if self.error is not None:
            raise self.error


async def test_a_dependency_that_works() -> None:
    outcome = await Probe("redis", Dependency().ask).outcome()
    assert outcome.ok
    assert outcome.error is None
    assert outcome.as_document()["time_ms"] >= 0


async def test_a_dependency_that_fails_says_why() -> None:
    outcome = await Probe("redis", Dependency(error=ServerUnreachable("gone")).ask).outcome()
    assert not outcome.ok
    assert outcome.error == "gone"


async def test_a_bug_in_a_check_is_neither_health_nor_shown() -> None:
    outcome = await Probe("redis", Dependency(error=KeyError("internal detail")).ask).outcome()
    assert not outcome.ok
    assert "internal detail" not in str(outcome.error)


async def test_a_dependency_that_hangs_is_answered_for_in_time() -> None:
    outcome = await Probe("redis", Dependency(hangs=True).ask).outcome(SHORT_S)
    assert not outcome.ok
    assert outcome.error == "no answer within 0.01 s"
    assert outcome.time_ms < 1000


async def test_one_question_at_a_time_is_open() -> None:
    dependency = Dependency(hangs=True)
    probe = Probe("redis", dependency.ask)
    await asyncio.gather(*(probe.outcome(SHORT_S) for _ in range(20)))
    assert dependency.asked == 1
    dependency.released.set()
    assert (await probe.outcome()).ok
    dependency.hangs = False
    assert (await probe.outcome()).ok
    assert dependency.asked == 2


async def test_one_that_hangs_does_not_hide_the_others() -> None:
    probes = {
        "database": Probe("database", Dependency(hangs=True).ask),
        "redis": Probe("redis", Dependency().ask),
    }
    outcomes = await ask_all(probes, SHORT_S)
    assert {name: outcome.ok for name, outcome in outcomes.items()} == {
        "database": False,
        "redis": True,
    }


async def test_a_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    dependency = Dependency(error=ServerUnreachable("gone"))
    probe = Probe("redis", dependency.ask)
    await probe.outcome()
    await probe.outcome()
    dependency.error = None
    with caplog.at_level("INFO"):
        await probe.outcome()
        await probe.outcome()
    assert [record.getMessage() for record in caplog.records] == [
        "redis does not work: gone",
        "redis works again",
    ]
