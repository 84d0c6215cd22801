"""An operator's request is done once, answered as it goes, and refused where it must be."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from agents.context import Context
from agents.requests.handler import Handling, Progress, Refused
from flowrex import keys
from flowrex.errors import PermissionRefused, ServerUnreachable
from flowrex.node_requests import Request
from tests.unit.agents.requests.conftest import NODE, Desk, until


class Work:
    """A handler that a test can hold up."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.begun = threading.Event()
        self.go = threading.Event()
        self.go.set()

    def __call__(self, request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        progress("half of it", name="b1")
        self.begun.set()
        while not self.go.wait(0.005):
            progress("half of it", name="b1")
        self.done.append(request.id)
        return {"name": "b1", "for": request.arguments.get("database", "")}


@pytest.fixture
def work() -> Work:
    return Work()


async def test_a_request_is_done_and_answered(desk: Desk, work: Work) -> None:
    async with desk.life({"backup": Handling(work)}) as task:
        desk.ask(database="flowrex")
        answer = await desk.ended()
        await until(lambda: task.status()["untold"] == 0)
    assert (answer.state, answer.result) == ("done", {"name": "b1", "for": "flowrex"})
    assert work.done == ["1"]
    assert task.status()["last"]["state"] == "done"
    counted = {
        (s.labels["kind"], s.labels["state"]): s.value
        for m in task.metrics()
        for s in m.samples
        if "kind" in s.labels
    }
    assert counted == {("backup", "done"): 1}


async def test_who_watches_sees_how_far_it_is(desk: Desk, work: Work) -> None:
    work.go.clear()
    async with desk.life({"backup": Handling(work)}) as task:
        desk.ask()
        running = await until(
            lambda: (
                (a := desk.answer()) and a.state == "running" and a.message == "half of it" and a
            )
        )
        assert running.result == {"name": "b1"}
        assert [one["id"] for one in task.status()["running"]] == ["1"]
        work.go.set()
        assert (await desk.ended()).state == "done"


async def test_what_was_done_is_not_done_again_by_a_later_life(desk: Desk, work: Work) -> None:
    for _ in range(3):
        async with desk.life({"backup": Handling(work)}) as task:
            desk.ask()
            await desk.ended()
            await until(lambda: task.status()["untold"] == 0)
            await asyncio.sleep(0.05)
    assert work.done == ["1"]


async def test_what_was_done_is_not_done_again_where_the_journal_is_lost(
    desk: Desk, work: Work
) -> None:
    async with desk.life({"backup": Handling(work)}):
        desk.ask()
        await desk.ended()
        # The answer is told while a thread still writes the journal.
        journal = desk.folder / "requests" / "1.json"
        await until(lambda: json.loads(journal.read_text())["step"] == "ended")
    for file in (desk.folder / "requests").iterdir():
        file.unlink()
    async with desk.life({"backup": Handling(work)}):
        desk.ask("backup", name="2")
        await desk.ended("2")
    assert work.done == ["1", "2"]


async def test_two_agents_of_one_name_do_it_once(desk: Desk, work: Work, tmp_path: Any) -> None:
    twin = Desk(tmp_path / "twin", desk.consul)
    async with desk.life({"backup": Handling(work)}), twin.life({"backup": Handling(work)}):
        for number in range(5):
            desk.ask(name=str(number))
        for number in range(5):
            await desk.ended(str(number))
        await asyncio.sleep(0.05)
    assert sorted(work.done) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "is not a JSON document"),
        (b"\xff", "is not a JSON document"),
        (b"[]", "is not a JSON object"),
        (b'{"kind": "format-disk"}', "`kind` is 'format-disk'; expected one of backup"),
        (b'{"kind": "backup", "arguments": {"a": 1}}', "`arguments` is not an object of texts"),
        (b'{"kind": "backup", "arguments": {}, "id": "other"}', "`id` is 'other'"),
        (b'{"kind": "backup", "arguments": {}, "id": "1", "at": "noon"}', "no ISO 8601 time"),
        (b'{"kind": "backup", "arguments": {}, "id": "1", "at": "2026-01-01"}', "no time zone"),
    ],
)
async def test_what_is_no_request_is_refused_with_the_reason(
    desk: Desk, work: Work, value: bytes, says: str
) -> None:
    async with desk.life({"backup": Handling(work)}):
        desk.consul.kv_put(keys.request(NODE, "1"), value)
        answer = await desk.ended()
        await asyncio.sleep(0.05)
    assert answer.state == "refused"
    assert says in answer.message
    assert work.done == []


@pytest.mark.parametrize(("ago_s", "says"), [(3600, "ask again"), (-600, "clocks is wrong")])
async def test_what_is_too_old_or_of_the_future_is_refused(
    desk: Desk, work: Work, ago_s: float, says: str
) -> None:
    async with desk.life({"backup": Handling(work)}):
        desk.ask(ago_s=ago_s)
        answer = await desk.ended()
    assert answer.state == "refused"
    assert says in answer.message
    assert work.done == []


async def test_what_this_node_does_not_do_is_refused(desk: Desk, work: Work) -> None:
    async with desk.life({"backup": Handling(work)}):
        desk.ask("restore")
        answer = await desk.ended()
    assert answer.state == "refused"
    assert answer.message == "the agent of node1 does no restore; it does backup"


async def test_an_id_that_is_a_path_is_refused_and_touches_no_file(desk: Desk, work: Work) -> None:
    odd = "../../../etc/passwd"
    async with desk.life({"backup": Handling(work)}):
        desk.ask(name=odd)
        answer = await desk.ended(odd)
    assert answer.state == "refused"
    assert list((desk.folder / "requests").iterdir()) == []


async def test_an_error_is_answered_with_its_hint(desk: Desk) -> None:
    def fails(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        raise ServerUnreachable("the store does not answer", hint="Look at it.")

    async with desk.life({"backup": Handling(fails)}):
        desk.ask()
        answer = await desk.ended()
    assert (answer.state, answer.message) == ("failed", "the store does not answer")
    assert answer.result == {"error": "ServerUnreachable", "hint": "Look at it.", "exit_status": 6}


async def test_a_handler_may_refuse(desk: Desk) -> None:
    def refuses(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        raise Refused("b1 is held")

    async with desk.life({"backup": Handling(refuses)}):
        desk.ask()
        answer = await desk.ended()
    assert (answer.state, answer.message) == ("refused", "b1 is held")


async def test_a_bug_in_one_handler_is_answered_and_ends_nothing(desk: Desk, work: Work) -> None:
    def broken(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        raise KeyError("x")

    async with desk.life({"verify": Handling(broken), "backup": Handling(work)}):
        desk.ask("verify")
        answer = await desk.ended()
        desk.ask("backup", name="2")
        assert (await desk.ended("2")).state == "done"
    assert answer.state == "failed"
    assert answer.message == "this is a bug in flowrex-agent: KeyError: 'x'"


async def test_one_of_a_kind_at_a_time_and_kinds_do_not_wait(desk: Desk, work: Work) -> None:
    other = Work()
    work.go.clear()
    async with desk.life({"backup": Handling(work), "list": Handling(other)}) as task:
        desk.ask(name="1")
        await until(work.begun.is_set)
        desk.ask(name="2")
        desk.ask("list", name="3")
        await desk.ended("3")
        second = desk.answer("2")
        assert second is not None and second.state == "accepted"
        assert task.status()["waiting"] == 1
        work.go.set()
        await desk.ended("2")
    assert work.done == ["1", "2"]


async def test_what_is_withdrawn_before_it_began_is_not_done(desk: Desk, work: Work) -> None:
    work.go.clear()
    async with desk.life({"backup": Handling(work)}):
        desk.ask(name="1")
        await until(work.begun.is_set)
        desk.ask(name="2")
        await until(lambda: desk.answer("2"))
        desk.consul.kv_delete(keys.request(NODE, "2"))
        work.go.set()
        answer = await desk.ended("2")
    assert (answer.state, answer.message) == ("refused", "it was withdrawn before it had begun")
    assert work.done == ["1"]


async def test_a_consul_that_is_away_is_waited_for_and_nothing_is_lost(
    desk: Desk, work: Work
) -> None:
    work.go.clear()
    desk.consul.down = True
    async with desk.life({"backup": Handling(work)}) as task:
        await until(lambda: task.status()["problem"])
        desk.consul.down = False
        desk.ask()
        await until(work.begun.is_set)
        desk.consul.down = True
        work.go.set()
        await until(lambda: work.done)
        await until(lambda: task.status()["untold"] == 1)
        desk.consul.down = False
        assert (await desk.ended()).state == "done"
    assert work.done == ["1"]


async def test_a_refused_token_is_told_at_once(desk: Desk, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> Any:
        raise PermissionRefused("Consul refuses")

    monkeypatch.setattr(desk.consul, "kv_wait_prefix", refuse)
    async with desk.life({}):
        await until(lambda: desk.refused)


async def test_a_handler_that_says_nothing_for_long_costs_the_watchdogs_patience(
    desk: Desk,
) -> None:
    from datetime import timedelta

    release = threading.Event()

    def hangs(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        release.wait(20)
        return {}

    async with desk.life({"backup": Handling(hangs)}) as task:
        desk.ask()
        await until(lambda: task.status()["running"])
        desk.clock.ahead = timedelta(hours=1)
        await asyncio.sleep(0.1)
        beats = desk.beats
        await asyncio.sleep(0.1)
        assert desk.beats == beats
        release.set()
        await until(lambda: desk.beats > beats)


async def test_a_result_that_consul_would_not_take_is_left_out_and_said(desk: Desk) -> None:
    def large(request: Request, context: Context, progress: Progress) -> Mapping[str, Any]:
        return {"backups": ["x" * 1000] * 1000}

    async with desk.life({"list": Handling(large)}):
        desk.ask("list")
        answer = await desk.ended()
    assert answer.state == "done"
    assert answer.result == {}
    assert "more than Consul takes" in answer.message


async def test_answers_are_forgotten_once_their_requests_are_gone_and_old(
    desk: Desk, work: Work
) -> None:
    from datetime import timedelta

    handlers = {"backup": Handling(work)}
    async with desk.life(handlers):
        for name in ("1", "2"):
            desk.ask(name=name)
            await desk.ended(name)
    desk.consul.kv_delete(keys.request(NODE, "1"))
    desk.clock.ahead = timedelta(days=8)
    async with desk.life(handlers):
        await until(lambda: desk.answer("1") is None)
        # The journal forgets it after Consul has.
        await until(lambda: [path.stem for path in (desk.folder / "requests").iterdir()] == ["2"])
    assert desk.answer("2") is not None, "its request is there: it must not be done again"
    assert work.done == ["1", "2"]


def test_an_answer_survives_the_way_through_consul(desk: Desk) -> None:
    assert json.loads(Request("1", "backup", {"a": "b"}, "ann", "t").encode())["by"] == "ann"
