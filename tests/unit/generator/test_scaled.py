from __future__ import annotations

from typing import Any, cast

import pytest

from flowrex.errors import StalePlan
from flowrex.nomad import NomadClient
from flowrex.nomad.jobs import Submitted
from generator import scaled
from generator.deploy import Step
from generator.environment import Environment
from generator.plan import plan_jobs
from generator.run import run, steps_of_plan
from tests.unit.generator.rolling import Rig, rendered, spec, step


@pytest.fixture
def rig() -> Rig:
    """One whose backend wants two."""
    rig = Rig()
    rig.in_service(spec(v="1"))
    return rig


def scale(rig: Rig, count: int) -> None:
    rig.nomad.jobs.scale("backend", "backend", count)
    rig.nomad.tick()
    rig.nomad.tick()


def planned(rig: Rig, job: dict[str, Any]) -> tuple[Step, ...]:
    return steps_of_plan(plan_jobs(cast(NomadClient, rig.nomad), [rendered(job)]))


def carried_out(rig: Rig, dev: Environment, steps: tuple[Step, ...]) -> dict[str, Any]:
    """Return the backend after a run."""
    run(rig.setup(dev), steps, version="1.0.0", promote=True)
    current = rig.nomad.jobs.get("backend")
    return {"v": current.spec["Meta"]["v"], "count": current.count, "version": current.version}


def since(rig: Rig, index: int) -> scaled.Scaled | None:
    return scaled.since(cast(NomadClient, rig.nomad), "backend", index)


def test_what_was_only_scaled_is_told_with_its_counts(rig: Rig) -> None:
    index = rig.nomad.jobs.get("backend").job_modify_index
    assert since(rig, index) is None, "nothing was changed"
    scale(rig, 4)
    scale(rig, 5)
    found = since(rig, index)
    assert found is not None
    assert (found.before, found.now, found.current.version) == ({"backend": 2}, {"backend": 5}, 2)
    assert "2 → 5" in found.sentence()


def test_what_was_changed_otherwise_or_stopped_was_not_only_scaled(rig: Rig) -> None:
    index = rig.nomad.jobs.get("backend").job_modify_index
    scale(rig, 4)
    rig.in_service(spec(v="2", count=4))
    assert since(rig, index) is None
    index = rig.nomad.jobs.get("backend").job_modify_index
    rig.nomad.jobs.stop("backend")
    assert since(rig, index) is None
    assert since(rig, 1) is None, "Nomad does not know that version any more"


def test_a_plan_is_carried_out_and_the_count_is_kept(rig: Rig, dev: Environment) -> None:
    steps = planned(rig, spec(v="2"))
    scale(rig, 5)
    assert carried_out(rig, dev, steps) == {"v": "2", "count": 5, "version": 2}
    assert "scaled" in rig.told
    (text,) = [event.text for event in rig.events if event.what == "scaled"]
    assert "2 → 5" in text


def test_a_plan_that_changes_nothing_leaves_it_alone(rig: Rig, dev: Environment) -> None:
    steps = planned(rig, spec(v="1"))
    scale(rig, 5)
    assert carried_out(rig, dev, steps) == {"v": "1", "count": 5, "version": 1}


def test_a_plan_that_sets_the_count_is_stale(rig: Rig, dev: Environment) -> None:
    steps = planned(rig, spec(v="2", count=3))
    scale(rig, 5)
    with pytest.raises(StalePlan, match="backend was changed since the plan was made"):
        carried_out(rig, dev, steps)
    assert rig.nomad.jobs.get("backend").count == 5


def test_a_plan_of_a_job_that_was_changed_otherwise_is_stale(rig: Rig, dev: Environment) -> None:
    steps = planned(rig, spec(v="2"))
    scale(rig, 5)
    rig.in_service(spec(v="theirs", count=5))
    with pytest.raises(StalePlan):
        carried_out(rig, dev, steps)


def test_it_may_be_scaled_up_to_the_last_moment_and_more_than_once(
    rig: Rig, dev: Environment
) -> None:
    steps = planned(rig, spec(v="2"))
    scale(rig, 5)
    real = rig.nomad.jobs.register
    counts = [6, 7]

    def register(job: Any, *, expected_index: int, source: str | None = None) -> Submitted:
        if counts:
            scale(rig, counts.pop(0))
        return real(job, expected_index=expected_index, source=source)

    rig.nomad.jobs.register = register  # type: ignore[method-assign]
    assert carried_out(rig, dev, steps) == {"v": "2", "count": 7, "version": 4}


def test_a_job_that_did_not_exist_can_not_have_been_scaled(dev: Environment) -> None:
    rig = Rig()
    steps = (step(rig.nomad, spec(v="2")),)
    rig.in_service(spec(v="theirs"))
    scale(rig, 5)
    with pytest.raises(StalePlan, match="did not exist when it was planned"):
        carried_out(rig, dev, steps)


def test_only_named_groups_get_another_count() -> None:
    job = {"ID": "a", "TaskGroups": [{"Name": "x", "Count": 1}, {"Name": "y", "Count": 2}]}
    counted = scaled.counted(job, {"x": 9})
    assert [group["Count"] for group in counted["TaskGroups"]] == [9, 2]
    assert job["TaskGroups"][0] == {"Name": "x", "Count": 1}, "the spec itself stays"
