from __future__ import annotations

from typing import cast

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import CanaryWaiting, DeploymentFailed, ServerUnreachable, StalePlan
from flowrex.testing.consul import FakeConsul
from generator import release
from generator.deploy import Outcome
from generator.lock import LockLost
from generator.release import Recorder


@pytest.fixture
def consul() -> ConsulClient:
    return cast(ConsulClient, FakeConsul())


def begin(consul: ConsulClient, *, history: int = 10) -> Recorder:
    return Recorder(consul, "prod", "run", "1.4.0", "run prod", history=history)


def test_a_run_is_recorded_from_its_first_moment(consul: ConsulClient) -> None:
    begin(consul)
    (found,) = release.history(consul, "prod")
    assert (found.kind, found.version, found.outcome) == ("run", "1.4.0", "running")
    assert found.ended is None
    assert "@" in found.who


def test_each_job_and_the_end_are_added(consul: ConsulClient) -> None:
    recorder = begin(consul)
    recorder.add(Outcome("backend", "deployed", 4, 3), "abc")
    recorder.end(None)
    (found,) = release.history(consul, "prod")
    assert found.outcome == "done"
    assert found.ended is not None
    assert found.jobs == {
        "backend": {"result": "deployed", "version": 4, "previous": 3, "sha256": "abc"}
    }


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (None, "done"),
        (CanaryWaiting("c"), "canary"),
        (DeploymentFailed("d"), "failed"),
        (StalePlan("s"), "stale"),
        (LockLost("l"), "lock-lost"),
        (ServerUnreachable("u"), "unreachable"),
        (KeyboardInterrupt(), "interrupted"),
        (ZeroDivisionError(), "error"),
    ],
)
def test_the_end_has_a_word(error: BaseException | None, word: str) -> None:
    assert release.outcome_of(error) == word


def test_the_error_is_kept(consul: ConsulClient) -> None:
    begin(consul).end(DeploymentFailed("it failed because"))
    assert release.history(consul, "prod")[0].message == "it failed because"


def test_only_the_newest_are_kept(consul: ConsulClient) -> None:
    ids = []
    for _ in range(4):
        recorder = begin(consul, history=2)
        ids.append(recorder.record.id)
        recorder.end(None)
    assert {one.id for one in release.history(consul, "prod")} == set(sorted(ids)[-2:])


def test_environments_are_kept_apart(consul: ConsulClient) -> None:
    begin(consul)
    assert release.history(consul, "prod-2") == []
    assert release.history(consul, "pro") == []


def test_what_another_version_of_the_tool_wrote_is_no_error(consul: ConsulClient) -> None:
    consul.kv_put(keys.release("prod", "a"), "{not json")
    consul.kv_put(keys.release("prod", "b"), '{"id": "b", "unknown": 1}')
    consul.kv_put(keys.release("prod", "c"), "[1]")
    assert release.history(consul, "prod") == []
