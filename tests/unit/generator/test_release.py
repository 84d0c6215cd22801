from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from flowrex import keys
from flowrex.audit import outbox
from flowrex.consul import ConsulClient
from flowrex.errors import (
    CanaryWaiting,
    DeploymentFailed,
    FlowrexError,
    ServerUnreachable,
    StalePlan,
)
from flowrex.testing.consul import FakeConsul
from generator import release
from generator.deploy import Outcome
from generator.lock import LockLost
from generator.migrations import Schema
from generator.origin import Origin
from generator.recorder import Recorder
from generator.release import Kind


@pytest.fixture
def consul() -> ConsulClient:
    return cast(ConsulClient, FakeConsul())


def begin(consul: ConsulClient, *, history: int = 10, **more: Any) -> Recorder:
    return Recorder(consul, "prod", "run", "1.4.0", "run prod", history=history, **more)


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


def test_somebody_who_pressed_ctrl_c_does_not_wait_for_the_record(consul: ConsulClient) -> None:
    tried: list[str] = []

    def ask(write: Callable[[], object]) -> None:
        tried.append("patiently")
        write()

    recorder = begin(consul, ask=ask)
    tried.clear()
    recorder.end(KeyboardInterrupt())
    assert tried == []
    assert release.history(consul, "prod")[0].outcome == "interrupted"


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


def test_a_record_of_the_format_before_is_read(consul: ConsulClient) -> None:
    old = {
        "id": "20260301T120000.000000Z-0a1b",
        "environment": "prod",
        "kind": "run",
        "version": "1.4.0",
        "outcome": "done",
        "started": "2026-03-01T12:00:00+00:00",
        "ended": "2026-03-01T12:05:00+00:00",
        "holder": {"who": "kim", "host": "desk"},
        "jobs": {"backend": {"result": "deployed", "version": 4}},
        "message": None,
        "format": 1,
    }
    consul.kv_put(keys.release("prod", str(old["id"])), json.dumps(old))
    (found,) = release.history(consul, "prod")
    assert (found.version, found.who, found.reason, found.stands) == ("1.4.0", "kim@desk", None, {})
    assert (found.known_schema, found.format) == (None, 1)


def test_a_record_of_a_format_to_come_is_read_as_far_as_it_is_known(consul: ConsulClient) -> None:
    begin(consul)
    (entry,) = consul.kv_list(keys.releases("prod"))
    consul.kv_put(entry.key, json.dumps({**json.loads(entry.value), "weather": "fair"}))
    assert len(release.history(consul, "prod")) == 1


def test_where_a_release_comes_from_is_kept(consul: ConsulClient) -> None:
    origin = Origin("case 17", "abc+changes", Schema("0002", {"0001": "", "0002": "why"}))
    stands = {"nginx": {"version": 3, "index": 30}}
    recorder = begin(consul, origin=origin, plan="f00", stands=stands)
    recorder.backed_up("pre_deploy_20260301_120000")
    recorder.add(Outcome("backend", "deployed", 4, 3), "abc", {"version": 4, "index": 40})
    (found,) = release.history(consul, "prod")
    assert (found.reason, found.revision, found.plan) == ("case 17", "abc+changes", "f00")
    assert found.backup == "pre_deploy_20260301_120000"
    assert {name: one["version"] for name, one in found.stands.items()} == {
        "nginx": 3,
        "backend": 4,
    }
    assert found.known_schema is None, "no migration has run"


def trail(consul: ConsulClient) -> list[Mapping[str, Any]]:
    """Return the details of what was left for the audit trail, the oldest first."""
    return [
        outbox.read(entry.key, entry.value).detail for entry in consul.kv_list(keys.outbox("prod"))
    ]


def test_the_trail_names_the_backup_or_why_there_is_none(consul: ConsulClient) -> None:
    with_one = begin(consul)
    with_one.backed_up("pre_deploy_20260301_120000")
    with_one.end(None)
    without = begin(consul)
    without.without_backup("the disk is full")
    without.end(DeploymentFailed("d"))
    begun, done, begun_again, failed = trail(consul)
    assert (begun["outcome"], begun_again["outcome"]) == ("begun", "begun")
    assert (done["backup"], "backup_skipped" in done) == ("pre_deploy_20260301_120000", False)
    assert (failed["backup_skipped"], "backup" in failed) == ("the disk is full", False)


def test_the_trail_names_the_canaries_that_were_not_compared(consul: ConsulClient) -> None:
    recorder = begin(consul)
    recorder.left_uncompared(["backend", "frontend"])
    recorder.end(None)
    assert trail(consul)[-1]["uncompared"] == "backend, frontend"


def test_the_schema_is_what_the_migration_brought_and_goes_on_to_later_records(
    consul: ConsulClient,
) -> None:
    first = begin(consul, origin=Origin(schema=Schema("0001", {"0001": ""})))
    first.add(Outcome("migrate", "ran", 0, None))
    second = begin(consul, origin=Origin(schema=Schema("0002", {"0001": "", "0002": ""})))
    assert second.record.known_schema == Schema("0001", {"0001": ""})
    second.add(Outcome("migrate", "unchanged", 0, 0))
    assert second.record.known_schema == Schema("0001", {"0001": ""})
    second.add(Outcome("migrate", "ran", 1, 0))
    assert second.record.known_schema == Schema("0002", {"0001": "", "0002": ""})


def test_a_promotion_completes_the_run_that_left_the_canary(consul: ConsulClient) -> None:
    def ended(kind: Kind, error: FlowrexError | None = None) -> release.Release:
        recorder = Recorder(consul, "prod", kind, "1.4.0", f"{kind} prod", history=10)
        recorder.end(error)
        return recorder.record

    run = ended("run", CanaryWaiting("c"))
    assert run.completes is None
    assert ended("promote", DeploymentFailed("not yet")).completes == run.id
    assert ended("promote").completes == run.id
    assert ended("promote").completes is None, "it is complete"
    assert ended("rollback").completes is None
