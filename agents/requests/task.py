"""The task `requests`: each of an operator's requests is done once, also over restarts.

A request passes through these, and a death between any two of them is made good at the next start:

    journal: claiming → answer: accepted (if there is none) → journal: begun → the work
        → journal: ended → answer: done, failed or refused

One is done at a time of each kind; kinds do not wait for each other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from agents.backoff import Backoff
from agents.context import Context
from agents.requests.answers import Answers
from agents.requests.handler import Handling
from agents.requests.intake import Intake
from agents.requests.journal import Entry, Journal
from agents.requests.ledger import Ledger
from agents.requests.work import Work
from agents.task import Beat
from agents.threads import in_daemon_thread
from flowrex import keys
from flowrex.consul import KVEntry
from flowrex.duration import seconds
from flowrex.errors import PermissionRefused, ServerUnreachable
from flowrex.node_requests import Answer, Request

_log = logging.getLogger(__name__)

_WAIT_S = 20.0
_BETWEEN_WORDS_S = 1.0
_END_WITHIN_S = 10.0

T = TypeVar("T")


class Requests:
    """Does what operators ask of this node."""

    name = "requests"
    stall_s = 120.0

    def __init__(
        self,
        context: Context,
        handlers: Mapping[str, Handling],
        *,
        wait_s: float = _WAIT_S,
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare.

        Args:
            context: the surroundings.
            handlers: how each kind is done; a kind that is not here is refused.
            wait_s: seconds for which Consul may hold a query.
            backoff: the pauses while Consul is away.
        """
        self._context = context
        self._handlers = handlers
        self._wait_s = wait_s
        self._backoff = backoff or Backoff(1.0, 30.0)
        self._ledger = Ledger(Journal(context.state(self.name)))
        self._answers = Answers(context.consul, context.node)
        self._intake = Intake(context, self._ledger, self._answers, handlers)
        self._silence_s = seconds(context.settings.requests.silence)
        self._running: dict[str, Work] = {}
        self._queues: dict[str, asyncio.Queue[Entry]] = {}
        self._news = asyncio.Event()
        self._problem = ""

    async def run(self, beat: Beat) -> None:
        """Follow the requests until cancelled; what is being done then is told to end."""
        self._queues = {kind: asyncio.Queue() for kind in self._handlers}
        await self._ledger.load()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(beat), name="requests follow")
                group.create_task(self._publish(), name="requests publish")
                for kind, queue in self._queues.items():
                    group.create_task(self._lane(queue), name=f"requests {kind}")
        finally:
            await self._stop_work()

    def status(self) -> dict[str, Any]:
        """Return what is being done and what was done last."""
        last = self._ledger.last
        return {
            "does": sorted(self._handlers),
            "running": [
                {"id": one, "kind": work.request.kind, "by": work.request.by}
                for one, work in self._running.items()
            ],
            "waiting": sum(queue.qsize() for queue in self._queues.values()),
            "untold": len(self._ledger.untold),
            "last": None
            if last is None
            else {"id": last.id, "state": last.state, "at": last.at, "message": last.message},
            "problem": self._problem,
        }

    def metrics(self) -> Iterator[Any]:
        """Yield the counts of requests."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        done = CounterMetricFamily(
            "flowrex_agent_requests",
            "Operators' requests that have ended.",
            labels=["kind", "state"],
        )
        for (kind, state), count in sorted(self._ledger.counts.items()):
            done.add_metric([kind, state], count)
        yield done
        running = GaugeMetricFamily(
            "flowrex_agent_requests_running", "Operators' requests that are being done."
        )
        running.add_metric([], len(self._running))
        yield running

    async def _follow(self, beat: Beat) -> None:
        index, failures, recovered = 0, 0, False
        while True:
            if self._gets_on():
                beat()
            try:
                if not recovered:
                    await self._recover()
                    recovered = True
                listed, index = await self._wait(index)
                for entry in await self._intake.consider(listed):
                    self._queue(entry)
                self._problem, failures = "", 0
                self._news.set()  # what could not be told may be told now
            except ServerUnreachable as error:
                index, failures = 0, failures + 1
                self._missed(error)
                await self._context.clock.sleep(self._backoff.seconds(failures))

    async def _wait(self, index: int) -> tuple[list[KVEntry], int]:
        prefix = keys.request(self._context.node, "")
        return await in_daemon_thread(
            lambda: self._context.consul().kv_wait_prefix(prefix, index, self._wait_s),
            name="requests",
        )

    def _missed(self, error: ServerUnreachable) -> None:
        if isinstance(error, PermissionRefused):
            self._context.refused()
        if error.message != self._problem:
            _log.warning("requests can't be read or answered", extra={"error": error.message})
        self._problem = error.message

    def _gets_on(self) -> bool:
        """Tell whether no handler hangs; one that does leads to a restart by the watchdog."""
        silent = [one for one, work in self._running.items() if work.silent_s > self._silence_s]
        if silent:
            _log.error("a request's handler is stuck", extra={"requests": silent})
        return not silent

    # What an earlier life left

    async def _recover(self) -> None:
        for entry in list(self._ledger.entries.values()):
            if entry.step == "begun":
                await self._resume(entry)
        for answer in await asyncio.to_thread(self._answers.all):
            if not answer.ended and answer.id not in self._ledger.entries:
                # Its journal is lost with the disk: whether it was done, nobody knows.
                interrupted = self._interrupted(answer.id, answer.claim)
                await asyncio.to_thread(self._answers.write, interrupted)

    async def _resume(self, entry: Entry) -> None:
        there = await asyncio.to_thread(self._answers.read, entry.id)
        if there is not None and there.ended:
            await self._ledger.end(entry, there)  # only the journal's last write is missing
            return
        kind = entry.request.kind if entry.request else ""
        if kind in self._handlers and self._handlers[kind].resumes:
            _log.info("request is resumed", extra={"request": entry.id, "kind": kind})
            self._queue(entry)
            return
        claim = entry.claim or (there.claim if there else "")
        await self._ledger.end(entry, self._interrupted(entry.id, claim))

    def _interrupted(self, request_id: str, claim: str) -> Answer:
        text = f"interrupted: the agent of {self._context.node} ended while it was doing this"
        result = {"interrupted": True, "exit_status": 5}
        return Answer(request_id, "failed", self._now(), text, result, claim)

    # The work

    def _queue(self, entry: Entry) -> None:
        assert entry.request is not None
        self._queues[entry.request.kind].put_nowait(entry)

    async def _lane(self, queue: asyncio.Queue[Entry]) -> None:
        while True:
            entry = await queue.get()
            assert entry.request is not None
            await self._do(entry, entry.request)

    async def _do(self, entry: Entry, request: Request) -> None:
        if entry.step == "claiming":
            if await self._asking(lambda: self._intake.is_withdrawn(request)):
                await self._ledger.end(entry, self._intake.withdrawn(entry))
                return
            entry = replace(entry, step="begun")
            try:
                await self._ledger.note(entry)
            except OSError as error:
                text = f"it was not begun: {error.strerror} ({self._context.settings.state_dir})"
                failed = Answer(entry.id, "failed", self._now(), text, {}, entry.claim)
                await self._ledger.end(entry, failed)
                return
        loop = asyncio.get_running_loop()
        work = Work(
            entry,
            request,
            self._handlers[request.kind],
            self._context,
            news=lambda: _tell(loop, self._news),
        )
        self._running[entry.id] = work
        self._news.set()
        answer = await work.run()
        del self._running[entry.id]
        if answer is not None:
            await self._ledger.end(entry, answer)
            self._news.set()

    async def _asking(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask until Consul answers."""
        failures = 0
        while True:
            try:
                return await question()
            except ServerUnreachable as error:
                self._missed(error)
                failures += 1
                await self._context.clock.sleep(self._backoff.seconds(failures))

    async def _stop_work(self) -> None:
        for work in self._running.values():
            work.stop()
        for request_id, work in self._running.items():
            if not await asyncio.to_thread(work.wait_end, _END_WITHIN_S):
                _log.warning("a request's handler does not end", extra={"request": request_id})
        self._running.clear()

    # What is told

    async def _publish(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            with suppress(ServerUnreachable):  # the follower logs that, and rings when it is over
                await self._tell_all()
            await self._context.clock.sleep(_BETWEEN_WORDS_S)

    async def _tell_all(self) -> None:
        for request_id, answer in list(self._ledger.untold.items()):
            await asyncio.to_thread(self._answers.write, answer)
            self._ledger.untold.pop(request_id, None)
        for work in list(self._running.values()):
            if (news := work.take_news()) is not None:
                await asyncio.to_thread(self._answers.write, news)

    def _now(self) -> str:
        return self._context.clock.now().isoformat(timespec="milliseconds")


def _tell(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is closed: the agent has stopped
        loop.call_soon_threadsafe(news.set)
