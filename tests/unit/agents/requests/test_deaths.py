"""A death between any two steps of a request: done once, or it is said that it was cut off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from agents.context import Context
from agents.requests.handler import Handling, Progress
from agents.requests.journal import Journal
from flowrex import keys
from flowrex.node_requests import Request
from flowrex.testing.consul import FakeConsul
from tests.unit.agents.requests.conftest import Desk, until


class Killed(BaseException):
    """The process is gone."""


class Reaper:
    """Kills at the nth step, before or after it has its effect, and everything after that."""

    def __init__(self, at: int, *, before: bool) -> None:
        self.left, self.before, self.dead = at, before, False
        self.steps = 0

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any, **kwargs: Any) -> Any:
            if self.dead:
                raise Killed
            self.steps += 1
            self.left -= 1
            if self.left == 0:
                self.dead = True
                if not self.before:
                    step(*args, **kwargs)
                raise Killed
            return step(*args, **kwargs)

        return mortal


async def live_and_die(desk: Desk, handlers: Mapping[str, Handling], reaper: Reaper) -> None:
    """Run a life until the reaper comes, or until the request is answered."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Journal, "write"), (FakeConsul, "kv_put")):
            patch.setattr(owner, name, reaper.around(getattr(owner, name)))
        task = desk.task(handlers)
        running = asyncio.create_task(task.run(cast(Any, lambda: None)))
        await until(lambda: running.done() or ((a := desk.answer()) and a.ended))
        running.cancel()
        with suppress(BaseExceptionGroup, asyncio.CancelledError, Killed):
            await running


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("resumes", [False, True], ids=["once", "resumes"])
async def test_a_death_at_every_step(tmp_path: Path, at: int, before: bool, resumes: bool) -> None:
    desk = Desk(tmp_path, FakeConsul())
    done: list[str] = []

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        done.append(request.id)
        return {"number": len(done)}

    handlers = {"backup": Handling(handle, resumes=resumes)}
    desk.ask()
    await live_and_die(desk, handlers, Reaper(at, before=before))
    first = len(done)
    async with desk.life(handlers):
        answer = await desk.ended()
        await asyncio.sleep(0.02)
    if resumes:
        assert answer.state == "done"
        return
    assert len(done) <= 1
    if answer.state == "done":
        assert len(done) == 1
    else:
        assert answer.result["interrupted"] is True
        assert first == len(done), "what was interrupted is not begun anew"
    async with desk.life(handlers):
        await asyncio.sleep(0.02)
        assert desk.answer() == answer, "an answer that was given stays"
    assert len(done) <= 1


async def test_a_journal_that_can_not_be_read_is_not_done_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FakeConsul())
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "1.json").write_bytes(b"\x00\x00")

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        raise AssertionError("done again")

    desk.ask()
    async with desk.life({"backup": Handling(handle)}):
        answer = await desk.ended()
    assert (answer.state, answer.result["interrupted"]) == ("failed", True)


async def test_a_disk_that_is_full_begins_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, FakeConsul())
    write = Journal.write

    def full(self: Journal, entry: Any) -> None:
        if entry.step == "begun":
            raise OSError(28, "No space left on device", "1.json")
        write(self, entry)

    monkeypatch.setattr(Journal, "write", full)

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        raise AssertionError("done")

    desk.ask()
    async with desk.life({"backup": Handling(handle)}):
        answer = await desk.ended()
    assert answer.message == f"it was not begun: No space left on device ({tmp_path})"


async def test_a_disk_that_is_full_takes_nothing_and_what_runs_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, FakeConsul())
    write, is_full, go = Journal.write, threading.Event(), threading.Event()

    def full(self: Journal, entry: Any) -> None:
        if is_full.is_set():
            raise OSError(28, "No space left on device")
        write(self, entry)

    monkeypatch.setattr(Journal, "write", full)
    done = []

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        while request.id == "1" and not go.wait(0.005):
            progress("half of it")
        done.append(request.id)
        return {}

    async with desk.life({"backup": Handling(handle), "restore": Handling(handle)}) as task:
        desk.ask("restore")
        await until(lambda: [one["id"] for one in task.status()["running"]] == ["1"])
        is_full.set()
        desk.ask(name="2")
        turned_away = await desk.ended("2")
        assert [one["id"] for one in task.status()["running"]] == ["1"]
        go.set()
        assert (await desk.ended()).state == "done"
        is_full.clear()
        desk.ask(name="3")
        assert (await desk.ended("3")).state == "done"
    assert turned_away.state == "failed"
    assert turned_away.message == f"it was not taken: No space left on device ({tmp_path})"
    assert done == ["1", "3"], "what was answered `failed` is not done later"


async def test_a_journal_that_cant_be_removed_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path, FakeConsul())

    def handle(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        return {}

    def keeps(self: Journal, request_id: str) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Journal, "remove", keeps)
    async with desk.life({"backup": Handling(handle)}):
        desk.ask()
        await desk.ended()
    desk.consul.kv_delete(keys.request("node1", "1"))
    desk.clock.ahead = timedelta(days=8)
    async with desk.life({"backup": Handling(handle)}):
        await until(lambda: desk.answer() is None)
        desk.ask(name="2")
        assert (await desk.ended("2")).state == "done"
