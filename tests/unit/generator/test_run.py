from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import pytest

from flowrex.errors import (
    DeploymentFailed,
    HardStop,
    LockHeld,
    ServerRefused,
    ServerUnreachable,
    StalePlan,
)
from generator import lock, recorder, release, resume
from generator.analysis.run import Analyst
from generator.asked import read as read_asked
from generator.deploy import Step
from generator.environment import Environment
from generator.plan import plan_jobs
from generator.planfile import content_hash
from generator.recorder import Recorder
from generator.run import CanaryWaits, run, steps_of_file, steps_of_plan
from generator.trial import Trial
from generator.watch import SystemClock
from tests.unit.generator.rolling import JumpingClock, Rig, rendered, spec

MIGRATE = spec("migrate", kind="batch", count=1)
NGINX = spec("nginx", canary=0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def steps(rig: Rig, *jobs: dict[str, object]) -> tuple[Step, ...]:
    return steps_of_plan(plan_jobs(rig.nomad, [rendered(job) for job in jobs]))  # type: ignore[arg-type]


def last(rig: Rig) -> release.Release:
    return release.history(rig.consul, "dev")[0]  # type: ignore[arg-type]


def test_jobs_are_deployed_in_order_and_recorded(rig: Rig, dev: Environment) -> None:
    todo = steps(rig, MIGRATE, spec(), NGINX)
    outcomes = run(rig.setup(dev), todo, version="1.0.0", promote=False)
    assert last(rig).plan == content_hash("dev", "1.0.0", todo)
    assert {name: one["version"] for name, one in last(rig).stands.items()} == {
        "migrate": 0,
        "backend": 0,
        "nginx": 0,
    }
    assert [(one.job, one.result) for one in outcomes] == [
        ("migrate", "ran"),
        ("backend", "deployed"),
        ("nginx", "deployed"),
    ]
    assert [job for _, job in rig.nomad.written] == ["migrate", "backend", "nginx"]
    assert last(rig).outcome == "done"
    assert list(last(rig).jobs) == ["migrate", "backend", "nginx"]


def test_a_canary_that_waits_ends_the_run_before_what_comes_after_it(
    rig: Rig, dev: Environment
) -> None:
    for job in (MIGRATE, spec(v="1"), NGINX):
        run(rig.setup(dev), steps(rig, job), version="1.0.0", promote=False)
    rig.nomad.written.clear()
    todo = steps(rig, MIGRATE, spec(v="2"), spec("nginx", canary=0, v="2"))
    with pytest.raises(CanaryWaits) as caught:
        run(rig.setup(dev), todo, version="1.1.0", promote=False)
    assert caught.value.exit_status == 9
    assert "flowrexctl promote dev" in (caught.value.hint or "")
    assert "Not begun yet: nginx" in (caught.value.hint or "")
    assert rig.nomad.written == [("register", "backend")]
    assert last(rig).outcome == "canary"
    assert last(rig).jobs["nginx"]["result"] == "pending"
    assert caught.value.as_document()["error"] == "CanaryWaiting"


def test_a_failed_migration_stops_everything_after_it(rig: Rig, dev: Environment) -> None:
    bad = spec("migrate", kind="batch", count=1, behaviour="exit 1")
    with pytest.raises(DeploymentFailed):
        run(rig.setup(dev), steps(rig, bad, spec()), version="1.0.0", promote=False)
    assert rig.nomad.jobs.find("backend") is None
    assert last(rig).outcome == "failed"
    assert "exited with status 1" in (last(rig).message or "")


def test_a_deployed_version_carries_the_releases_name(rig: Rig, dev: Environment) -> None:
    run(rig.setup(dev), steps(rig, spec(v="1")), version="1.0.0", promote=True)
    run(rig.setup(dev), steps(rig, spec(v="2")), version="1.0.0", promote=True)
    versions = {one.version: one.tag for one in rig.nomad.jobs.versions("backend")}
    assert versions == {0: "1.0.0-v0", 1: "1.0.0"}


def test_a_lock_that_is_lost_during_the_backup_lets_nothing_begin(
    rig: Rig, dev: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[str] = []

    def check(held: lock.HeldLock) -> None:
        if lost:
            raise lock.LockLost("the deployment lock was lost")

    def prepare(todo: Sequence[Step], _: Recorder) -> None:
        lost.append("the lock")

    monkeypatch.setattr(lock.HeldLock, "check", check)
    with pytest.raises(lock.LockLost):
        run(
            rig.setup(dev),
            steps(rig, MIGRATE, spec()),
            version="1.0.0",
            promote=False,
            prepare=prepare,
        )
    assert rig.nomad.written == []
    assert last(rig).outcome == "lock-lost"
    assert last(rig).jobs == {}


def test_what_another_holds_is_not_touched(rig: Rig, dev: Environment) -> None:
    todo = steps(rig, spec())
    with lock.hold(rig.consul, "dev", "run dev", ttl_s=15), pytest.raises(LockHeld):  # type: ignore[arg-type]
        run(rig.setup(dev), todo, version="1.0.0", promote=False)
    assert rig.nomad.written == []
    assert release.history(rig.consul, "dev") == []  # type: ignore[arg-type]


def test_the_lock_is_given_back_however_it_ends(rig: Rig, dev: Environment) -> None:
    todo = steps(rig, spec(behaviour="unhealthy"))
    with pytest.raises(DeploymentFailed):
        run(rig.setup(dev), todo, version="1.0.0", promote=False)
    assert lock.holder(rig.consul, "dev") is None  # type: ignore[arg-type]


def test_a_consul_out_of_reach_means_that_nothing_is_changed(rig: Rig, dev: Environment) -> None:
    todo = steps(rig, spec())
    rig.consul.down = True
    with pytest.raises(ServerUnreachable):
        run(rig.setup(dev), todo, version="1.0.0", promote=False)
    assert rig.nomad.written == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose time passes at once."""
    clock = JumpingClock()
    monkeypatch.setattr(SystemClock, "now", lambda _: clock.now())
    monkeypatch.setattr(SystemClock, "sleep", lambda _, seconds: clock.sleep(seconds))


def refuse_records(rig: Rig, saying: str, times: int) -> list[int]:
    """Let Consul have no leader when a record that says something is written.

    Returns:
        How often it will refuse.
    """
    real_put, left = rig.consul.kv_put, [times]

    def kv_put(key: str, value: str | bytes, **more: Any) -> bool:
        if "/releases/" in key and saying in str(value) and left[0]:
            left[0] -= 1
            raise ServerRefused("Consul answers 500: No cluster leader")
        return real_put(key, value, **more)

    rig.consul.kv_put = kv_put  # type: ignore[method-assign]
    return left


@pytest.mark.usefixtures("quick")
def test_a_record_is_written_as_patiently_as_a_question_is_asked(
    rig: Rig, dev: Environment
) -> None:
    refuse_records(rig, '"result": "ran"', 3)
    outcomes = run(rig.setup(dev), steps(rig, MIGRATE, spec()), version="1.0.0", promote=False)
    assert [one.result for one in outcomes] == ["ran", "deployed"]
    assert (last(rig).outcome, list(last(rig).jobs)) == ("done", ["migrate", "backend"])
    assert rig.told.count("unreachable") == 1


@pytest.mark.usefixtures("quick")
def test_what_is_deployed_is_that_also_where_its_record_can_not_be_completed(
    rig: Rig, dev: Environment
) -> None:
    todo = steps(rig, MIGRATE, spec())
    refusals = refuse_records(rig, '"outcome": "done"', 1000)
    outcomes = run(rig.setup(dev), todo, version="1.0.0", promote=False)
    assert [one.result for one in outcomes] == ["ran", "deployed"]
    assert rig.events[-1].what == "unrecorded"
    assert "flowrexctl resume dev" in rig.events[-1].text
    assert (last(rig).outcome, list(last(rig).jobs)) == ("running", ["migrate", "backend"])

    refusals[0] = 0
    rig.nomad.written.clear()
    record = resume.unfinished([last(rig)], "dev")
    wanted = read_asked(record.asked, record.id)
    rest = resume.steps(rig.nomad, wanted, [one.job for one in todo], "dev")  # type: ignore[arg-type]
    run(rig.setup(dev), rest, version="1.0.0", promote=False, asked=wanted)
    assert last(rig).outcome == "done"
    assert rig.nomad.written == []


@pytest.mark.usefixtures("quick")
def test_what_failed_has_failed_also_where_that_can_not_be_recorded(
    rig: Rig, dev: Environment
) -> None:
    refuse_records(rig, '"outcome": "failed"', 1000)
    with pytest.raises(DeploymentFailed):
        run(rig.setup(dev), steps(rig, spec(behaviour="unhealthy")), version="1", promote=False)
    assert rig.events[-1].what == "unrecorded"


@pytest.mark.usefixtures("quick")
def test_records_that_can_not_be_pruned_are_no_failure(
    rig: Rig, dev: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise ServerUnreachable("Consul does not answer")

    monkeypatch.setattr(recorder, "prune", away)
    run(rig.setup(dev), steps(rig, spec()), version="1.0.0", promote=False)
    assert last(rig).outcome == "done"


def test_a_saved_plan_is_held_to_what_was_planned(rig: Rig, dev: Environment) -> None:
    run(rig.setup(dev), steps(rig, spec(v="1")), version="1.0.0", promote=False)
    planned = plan_jobs(rig.nomad, [rendered(spec(v="2"))])  # type: ignore[arg-type]
    run(rig.setup(dev), steps(rig, spec(v="other")), version="1.0.0", promote=True)
    saved = steps_of_file([*planned], rig.nomad)  # type: ignore[list-item,arg-type]
    with pytest.raises(StalePlan):
        run(rig.setup(dev), saved, version="1.1.0", promote=True)
    assert last(rig).outcome == "stale"


def test_one_stale_job_of_a_plan_leaves_those_before_it_alone_too(
    rig: Rig, dev: Environment
) -> None:
    todo = steps(rig, MIGRATE, spec(v="1"))
    run(rig.setup(dev), steps(rig, spec(v="other")), version="1.0.0", promote=False)
    rig.nomad.written.clear()
    with pytest.raises(StalePlan, match="backend did not exist when it was planned"):
        run(rig.setup(dev), todo, version="1.0.0", promote=False)
    assert rig.nomad.written == []


def test_an_unchanged_job_of_a_saved_plan_must_be_unchanged_too(rig: Rig, dev: Environment) -> None:
    run(rig.setup(dev), steps(rig, spec(v="1")), version="1.0.0", promote=False)
    planned = plan_jobs(rig.nomad, [rendered(spec(v="1"))])  # type: ignore[arg-type]
    run(rig.setup(dev), steps(rig, spec(v="2")), version="1.0.0", promote=True)
    run(rig.setup(dev), steps(rig, spec(v="1")), version="1.0.0", promote=True)
    with pytest.raises(StalePlan):
        run(
            rig.setup(dev),
            steps_of_file([*planned], rig.nomad),  # type: ignore[list-item,arg-type]
            version="1.0.0",
            promote=True,
        )


def test_what_happened_while_the_lock_was_waited_for_is_seen(rig: Rig, dev: Environment) -> None:
    run(rig.setup(dev), steps(rig, spec(v="1")), version="1.0.0", promote=False)
    todo = steps(rig, spec(v="1"))
    assert todo[0].action == "none"
    rig.nomad.add_version(spec(v="2"))
    with pytest.raises(StalePlan):
        run(rig.setup(dev), todo, version="1.0.0", promote=False)


class Around:
    """What is done around a run, as far as a test wants to see it."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses, self.seen = refuses, list[tuple[str, str]]()

    def before(self, record: release.Release) -> None:
        self.seen.append(("before", record.outcome))
        if self.refuses:
            raise HardStop("a hook refuses")

    def after(self, record: release.Release) -> None:
        self.seen.append(("after", record.outcome))


def test_what_is_done_around_a_run_sees_its_beginning_and_its_end(
    rig: Rig, dev: Environment
) -> None:
    around = Around()
    setup = replace(rig.setup(dev), around=around)  # type: ignore[arg-type]
    run(setup, steps(rig, spec()), version="1.0.0", promote=False)
    assert around.seen == [("before", "running"), ("after", "done")]
    assert lock.holder(rig.consul, "dev") is None  # type: ignore[arg-type]


def test_what_refuses_a_run_before_it_begins_leaves_everything_as_it_is(
    rig: Rig, dev: Environment
) -> None:
    around = Around(refuses=True)
    setup = replace(rig.setup(dev), around=around)  # type: ignore[arg-type]
    with pytest.raises(HardStop):
        run(setup, steps(rig, spec()), version="1.0.0", promote=False)
    assert rig.nomad.written == []
    assert around.seen == [("before", "running"), ("after", "refused")]


@pytest.mark.parametrize(
    ("promote", "trials", "expected"),
    [(True, ["backend"], ["backend"]), (True, ["frontend"], []), (False, ["frontend"], [])],
)
def test_a_canary_that_is_promoted_uncompared_is_recorded(
    rig: Rig, dev: Environment, promote: bool, trials: list[str], expected: list[str]
) -> None:
    run(rig.setup(dev), steps(rig, spec(v="1")), version="1.0.0", promote=False)
    todo = steps(rig, spec(v="2"))
    tried = {name: Trial(cast(Analyst, None), promote=False) for name in trials}
    with suppress(CanaryWaits):
        run(rig.setup(dev), todo, version="1.1.0", promote=promote, trials=tried)
    assert list(last(rig).uncompared) == expected
    assert [one.job for one in rig.events if one.what == "uncompared"] == expected


def test_a_first_deployment_has_no_canary_to_compare(rig: Rig, dev: Environment) -> None:
    tried = {"backend": Trial(cast(Analyst, None), promote=False)}
    run(rig.setup(dev), steps(rig, spec()), version="1.0.0", promote=True, trials=tried)
    assert list(last(rig).uncompared) == []


def test_a_run_records_what_it_was_asked_for(rig: Rig, dev: Environment) -> None:
    todo = steps(rig, spec())
    run(rig.setup(dev), todo, version="1.0.0", promote=True)
    asked = last(rig).asked
    assert asked is not None
    assert asked["promote"] is True
    assert asked["planned"]["backend"]["sha256"] == todo[0].job.sha256
