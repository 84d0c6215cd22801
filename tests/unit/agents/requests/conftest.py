"""An agent's task `requests` with a Consul in memory, one life after the other."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import pytest

from agents.backoff import Backoff
from agents.context import Context
from agents.requests.handler import Handling
from agents.requests.task import Requests
from agents.settings import REFERENCE, Agent
from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.node_requests import Answer, Kind, Request, parse_answer
from flowrex.settings import schema, source
from flowrex.testing.consul import FakeConsul

NODE = "node1"
T = TypeVar("T")


class QuickClock:
    """A clock whose time a test sets and whose waits are short."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead.total_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))


class Desk:
    """Where an operator asks, and a node's agent that lives and dies.

    Attributes:
        beats: how often the task told that it gets on.
        refused: how often it told that its credentials were refused.
    """

    def __init__(self, folder: Path, consul: FakeConsul) -> None:
        self.consul = consul
        self.clock = QuickClock()
        self.folder = folder
        self.beats = 0
        self.refused = 0
        tree = source.read(REFERENCE, REFERENCE.name)
        settings = schema.build(Agent, tree, reference="reference.yaml")
        self.settings = dataclasses.replace(settings, node=NODE, state_dir=str(folder))

    @property
    def context(self) -> Context:
        client = cast(ConsulClient, self.consul)
        nothing = cast(Any, None)
        return Context(
            self.settings,
            NODE,
            lambda: client,
            lambda: nothing,
            lambda: nothing,
            refused=self._note_refused,
            clock=self.clock,
        )

    def task(self, handlers: Mapping[str, Handling]) -> Requests:
        return Requests(
            self.context, handlers, wait_s=0.02, backoff=Backoff(0.001, 0.001, chance=lambda: 1.0)
        )

    @asynccontextmanager
    async def life(self, handlers: Mapping[str, Handling]) -> AsyncIterator[Requests]:
        """Let the agent live for the length of a block."""
        task = self.task(handlers)
        running = asyncio.create_task(task.run(cast(Any, self._beat)))
        try:
            yield task
            assert not running.done(), running
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    def ask(self, kind: Kind = "backup", *, name: str = "1", ago_s: float = 0, **more: str) -> str:
        """Write a request as an operator does, and return its id."""
        at = self.clock.now() - timedelta(seconds=ago_s)
        request = Request(name, kind, more, "ann", at.isoformat())
        self.consul.kv_put(keys.request(NODE, name), request.encode())
        return name

    def answer(self, name: str = "1") -> Answer | None:
        entry = self.consul.kv_get(keys.answer(NODE, name))
        return parse_answer(entry.key, entry.value) if entry else None

    async def ended(self, name: str = "1") -> Answer:
        """Wait for the last answer to a request."""

        def last() -> Answer | None:
            answer = self.answer(name)
            return answer if answer and answer.ended else None

        return await until(last)

    def _beat(self) -> None:
        self.beats += 1

    def _note_refused(self) -> None:
        self.refused += 1


async def until(probe: Callable[[], T | Literal[False] | None], *, within: float = 60.0) -> T:
    """Return the first true answer."""
    end = asyncio.get_running_loop().time() + within
    while not (answer := probe()):
        assert asyncio.get_running_loop().time() < end, "it did not happen"
        await asyncio.sleep(0.003)
    return answer


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, FakeConsul())
