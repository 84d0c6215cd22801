"""An agent is asked through Consul: taken or withdrawn, followed, and its errors are its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from flowrex.node_requests import Answer, Request, State, new_id
from flowrex.testing.consul import FakeConsul
from generator import node_requests
from generator.node_requests import Desk, RequestFailed
from tests.unit.generator.answering import AT, answering, publish
from tests.unit.generator.rolling import JumpingClock

Ended = tuple[State, str, Mapping[str, Any]]


@pytest.fixture
def consul() -> FakeConsul:
    consul = FakeConsul()
    publish(consul)
    return consul


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def desk(consul: FakeConsul, told: list[str]) -> Desk:
    return Desk("dev", cast(ConsulClient, consul), told.append)


def impatient(desk: Desk) -> Desk:
    return replace(desk, accept_s=3, clock=JumpingClock())


def done(request: Request) -> Ended:
    return "done", "all of it", {"name": "b1", "for": request.arguments["reason"]}


def test_what_is_asked_is_answered(desk: Desk, consul: FakeConsul, told: list[str]) -> None:
    with answering(consul, done) as asked:
        answer = node_requests.ask(desk, "n1", "backup", {"reason": "manual"})
    assert answer.result == {"name": "b1", "for": "manual"}
    assert (asked[0].kind, "@" in asked[0].by) == ("backup", True)
    assert told[-1] == "all of it"


@pytest.mark.parametrize(
    ("state", "result", "status", "word"),
    [
        ("refused", {"exit_status": 7, "hint": "Hold it."}, 7, "refuses the backup: no"),
        ("failed", {"exit_status": 6}, 6, "could not do the backup: no"),
        ("failed", {"exit_status": 1}, 5, "could not do the backup: no"),
        ("failed", {}, 5, "could not do the backup: no"),
    ],
)
def test_a_failure_is_told_with_the_agents_words_and_status(
    desk: Desk, consul: FakeConsul, state: State, result: Mapping[str, Any], status: int, word: str
) -> None:
    with (
        answering(consul, lambda _: (state, "no", result)),
        pytest.raises(RequestFailed, match=word) as caught,
    ):
        node_requests.ask(desk, "n1", "backup", {})
    assert caught.value.exit_status == status
    assert caught.value.hint == result.get("hint")
    assert caught.value.as_document()["state"] == state


def test_what_nobody_takes_is_withdrawn(desk: Desk, consul: FakeConsul) -> None:
    with pytest.raises(ServerUnreachable, match="has not taken the request within 3 s") as caught:
        node_requests.ask(impatient(desk), "n1", "backup", {})
    assert f"heard of last {AT}" in caught.value.message
    assert consul.kv_list(keys.REQUESTS) == []


def test_what_is_taken_at_the_last_moment_is_not_withdrawn(
    desk: Desk, consul: FakeConsul, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = consul.kv_delete

    def at_the_last_moment(key: str, **more: Any) -> bool:
        request_id = key.rsplit("/", 1)[-1]
        answer = Answer(request_id, "done", AT, "just so", {"name": "b1"})
        consul.kv_put(keys.answer("n1", request_id), answer.encode())
        return delete(key, **more)

    monkeypatch.setattr(consul, "kv_delete", at_the_last_moment)
    answer = node_requests.ask(impatient(desk), "n1", "backup", {})
    assert answer.result == {"name": "b1"}


def test_ctrl_c_before_it_is_taken_withdraws_it(
    desk: Desk, consul: FakeConsul, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(consul, "kv_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        node_requests.ask(desk, "n1", "backup", {})
    assert consul.kv_list(keys.REQUESTS) == []
    assert told == ["It was withdrawn; nothing was done."]


def test_ctrl_c_after_it_is_taken_says_how_to_follow_it(
    desk: Desk, consul: FakeConsul, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = consul.kv_wait
    request = node_requests.send(desk, "n1", "backup", {})
    taken = Answer(request.id, "accepted", AT, "taken")
    consul.kv_put(keys.answer("n1", request.id), taken.encode())
    calls = iter([wait])

    def once(*arguments: Any) -> Any:
        for call in calls:
            return call(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(consul, "kv_wait", once)
    with pytest.raises(KeyboardInterrupt):
        node_requests.follow(desk, "n1", request)
    assert told[-1] == node_requests.goes_on("dev", request.id)
    monkeypatch.undo()
    assert node_requests.find(desk, request.id) == ("n1", request)


def test_a_consul_that_is_away_for_a_while_is_waited_for(
    desk: Desk, consul: FakeConsul, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = consul.kv_wait
    answers = iter([None])

    def away_once(*arguments: Any) -> Any:
        for _ in answers:
            raise ServerUnreachable("Consul is away")
        return wait(*arguments)

    monkeypatch.setattr(consul, "kv_wait", away_once)
    with answering(consul, lambda _: ("done", "", {})):
        assert node_requests.ask(desk, "n1", "backup", {}).state == "done"
    assert "Consul is away; looking again" in told


def test_old_requests_are_forgotten_once_they_are_answered(desk: Desk, consul: FakeConsul) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=8)
    for number, state in enumerate(("done", "running", None)):
        request_id = new_id(long_ago + timedelta(seconds=number))
        request = Request(request_id, "backup", {}, "ann", AT)
        consul.kv_put(keys.request("n1", request_id), request.encode())
        if state is not None:
            answer = Answer(request_id, state, AT)  # type: ignore[arg-type]
            consul.kv_put(keys.answer("n1", request_id), answer.encode())
    node_requests.send(desk, "n1", "backup", {})
    left = consul.kv_list(keys.request("n1", ""))
    assert len(left) == 3, "the one that runs, the one without an answer, and the new one"
