"""Going on with a run that was cut off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flowrex.errors import CanaryWaiting, StalePlan, UsageError
from generator import asked, release, resume
from generator.asked import Asked
from generator.deploy import Step
from generator.environment import Environment
from generator.plan import plan_jobs
from generator.release import Release
from generator.run import run, steps_of_plan
from tests.unit.generator.rolling import Rig, rendered, spec
from tests.unit.generator.test_hooks import RECORD

MIGRATE = spec("migrate", kind="batch", count=1)
NGINX = spec("nginx", canary=0)


class Killed(BaseException):
    """As little as a kill leaves behind."""


@pytest.fixture
def rig() -> Rig:
    return Rig()


def steps(rig: Rig, *jobs: dict[str, Any]) -> tuple[Step, ...]:
    return steps_of_plan(plan_jobs(rig.nomad, [rendered(job) for job in jobs]))  # type: ignore[arg-type]


def cut_off(rig: Rig, dev: Environment, *jobs: dict[str, Any], after: str) -> Release:
    """Run, and stop when a job is in service; return the record that this leaves."""
    setup = rig.setup(dev)

    def tell(event: Any) -> None:
        if (event.job, event.what) in {(after, "deployed"), (after, "ran")}:
            raise Killed

    with pytest.raises(Killed):
        run(replace(setup, tell=tell), steps(rig, *jobs), version="1.0.0", promote=True)
    return records(rig)[0]


def records(rig: Rig) -> list[Release]:
    return release.history(rig.consul, "dev")  # type: ignore[arg-type]


def left(rig: Rig, record: Release, *jobs: dict[str, Any]) -> tuple[Step, ...]:
    wanted = asked.read(record.asked, record.id)
    return resume.steps(rig.nomad, wanted, [rendered(job) for job in jobs], "dev")  # type: ignore[arg-type]


def test_what_was_done_is_not_done_again(rig: Rig, dev: Environment) -> None:
    record = cut_off(rig, dev, MIGRATE, spec(), NGINX, after="migrate")
    todo = left(rig, record, MIGRATE, spec(), NGINX)
    assert [(one.job.name, one.action) for one in todo] == [
        ("migrate", "none"),
        ("backend", "create"),
        ("nginx", "create"),
    ]
    rig.nomad.written.clear()
    found = resume.unfinished(records(rig), "dev")
    wanted = asked.read(found.asked, found.id)
    run(rig.setup(dev), todo, version="1.0.0", promote=wanted.promote, asked=wanted)
    assert [job for _, job in rig.nomad.written] == ["backend", "nginx"]
    assert (records(rig)[0].outcome, records(rig)[0].resumes) == ("done", record.id)


def test_other_specs_are_refused_by_name(rig: Rig, dev: Environment) -> None:
    record = cut_off(rig, dev, MIGRATE, spec(), after="migrate")
    with pytest.raises(StalePlan, match="not what the run began with: backend"):
        left(rig, record, MIGRATE, spec(v="other"))


def test_a_job_that_somebody_else_changed_since_is_refused(rig: Rig, dev: Environment) -> None:
    record = cut_off(rig, dev, MIGRATE, spec(), after="migrate")
    rig.in_service(spec(v="theirs"))
    todo = left(rig, record, MIGRATE, spec())
    with pytest.raises(StalePlan):
        run(rig.setup(dev), todo, version="1.0.0", promote=True)
    assert rig.nomad.written == []


def test_the_rest_follows_after_a_promotion(rig: Rig, dev: Environment) -> None:
    for job in (spec(v="1"), NGINX):
        run(rig.setup(dev), steps(rig, job), version="1.0.0", promote=False)
    after = spec("nginx", canary=0, v="2")
    with pytest.raises(CanaryWaiting):
        run(rig.setup(dev), steps(rig, spec(v="2"), after), version="1.1.0", promote=False)
    record = resume.unfinished(records(rig), "dev")
    assert [one.action for one in left(rig, record, spec(v="2"), after)] == ["watch", "update"]


def _record(**more: Any) -> Release:
    return replace(RECORD, **more)


def test_a_promotion_that_went_well_leaves_the_run_to_go_on_with() -> None:
    waiting = _record(id="1", outcome="canary")
    promoted = _record(id="2", kind="promote", outcome="done", completes="1")
    assert resume.unfinished([promoted, waiting], "prod") == waiting


@pytest.mark.parametrize("outcome", ["done", "failed", "refused", "stale"])
def test_a_run_that_ended_is_not_gone_on_with(outcome: str) -> None:
    with pytest.raises(UsageError, match="nothing to go on with"):
        resume.unfinished([_record(outcome=outcome)], "prod")


def test_a_promotion_and_a_rollback_that_were_cut_off_name_their_own_command() -> None:
    with pytest.raises(UsageError) as promotion:
        resume.unfinished([_record(kind="promote", outcome="running")], "prod")
    assert promotion.value.hint == "flowrexctl promote prod"
    with pytest.raises(UsageError) as back:
        resume.unfinished([_record(kind="rollback", back_to="1.3.0")], "prod")
    assert back.value.hint == "flowrexctl rollback prod 1.3.0"


def test_without_any_record_there_is_nothing() -> None:
    with pytest.raises(UsageError, match="no run of prod is recorded"):
        resume.unfinished([], "prod")


@pytest.mark.parametrize(
    "document",
    [None, {}, {"settings": []}, {**Asked().as_document(), "planned": {"backend": {"index": 1}}}],
)
def test_a_record_that_does_not_say_what_was_asked_is_refused(document: Any) -> None:
    with pytest.raises(UsageError, match="does not say what was to be deployed"):
        asked.read(document, "1")


def test_what_was_asked_is_read_as_it_was_written() -> None:
    wanted = Asked(("backend.count=3",), True, False, "none needed", ("health",))
    document = {
        **wanted.as_document(),
        "planned": {"backend": {"sha256": "a", "index": 7, "version": 2}},
    }
    found = asked.read(document, "1")
    assert replace(found, resumes=None, planned=None) == wanted
    assert found.planned is not None
    assert (found.planned["backend"].index, found.planned["backend"].sha256) == (7, "a")
