from __future__ import annotations

from typing import Any, cast

import pytest

from flowrex.nomad import NomadClient
from flowrex.nomad.jobs import JobStub
from generator import periodic
from generator.deploy import deploy
from generator.plan import batch_action
from generator.rollback import last_healthy
from generator.standing import Standing, standing
from tests.unit.generator.rolling import Rig, spec, step


def scheduled(**meta: Any) -> dict[str, Any]:
    job = spec("retention", kind="batch", count=1, **meta)
    return {**job, "Periodic": {"Enabled": True, "SpecType": "cron", "Specs": ["30 3 * * *"]}}


@pytest.fixture
def rig() -> Rig:
    return Rig()


def stands(rig: Rig) -> Standing:
    return standing(cast(NomadClient, rig.nomad), "retention")


def stub(name: str, parent: str = "retention") -> JobStub:
    return JobStub(name, "batch", "dead", False, parent)


def test_the_newest_start_is_told_by_its_time_and_not_by_its_name() -> None:
    stubs = [
        stub("retention/periodic-999"),
        stub("retention/periodic-1000"),
        stub("retention/dispatch-2000"),
        stub("other/periodic-3000", "other"),
        stub("retention", ""),
    ]
    assert [one.id for one in periodic.starts(stubs, "retention")] == [
        "retention/periodic-1000",
        "retention/periodic-999",
    ]
    assert periodic.starts(stubs, "nothing") == []


def test_a_job_on_a_schedule_is_deployed_when_nomad_has_it(rig: Rig) -> None:
    outcome = deploy(rig.watch(), step(rig.nomad, scheduled()), promote=False)
    assert (outcome.result, outcome.version) == ("deployed", 0)
    assert rig.told == ["submitted", "deployed"]
    assert (stands(rig).state, stands(rig).next_command("dev")) == ("scheduled", None)


def test_it_is_never_started_because_it_has_not_run_yet(rig: Rig) -> None:
    rig.nomad.add_version(scheduled())
    current = rig.nomad.jobs.get("retention")
    assert batch_action([], current) == "none"


def test_its_state_is_that_of_its_last_start(rig: Rig) -> None:
    rig.nomad.add_version(scheduled())
    rig.nomad.start_periodic("retention")
    assert stands(rig).state == "running"
    rig.nomad.tick()
    rig.nomad.tick()
    assert stands(rig).state == "scheduled"


def test_a_start_that_failed_is_told_with_the_way_to_its_log(rig: Rig) -> None:
    rig.nomad.add_version(scheduled(behaviour="exit 7"))
    rig.nomad.start_periodic("retention")
    rig.nomad.tick()
    rig.nomad.tick()
    assert stands(rig).state == "failed"
    assert stands(rig).next_command("dev") == "flowrexctl logs dev retention"
    (run,) = periodic.runs(cast(NomadClient, rig.nomad), "retention")
    assert run.client_status == "failed"


def test_what_an_earlier_version_did_is_not_held_against_this_one(rig: Rig) -> None:
    rig.nomad.add_version(scheduled(behaviour="exit 7"))
    rig.nomad.start_periodic("retention")
    rig.nomad.tick()
    rig.nomad.tick()
    rig.nomad.add_version(scheduled(v="2"))
    assert stands(rig).state == "scheduled"


def test_a_schedule_that_was_stopped_is_run_again(rig: Rig) -> None:
    rig.nomad.add_version(scheduled())
    rig.nomad.jobs.stop("retention")
    assert stands(rig).state == "stopped"
    assert stands(rig).next_command("dev") == "flowrexctl run dev retention"


def test_it_can_be_rolled_back_though_nomad_never_calls_it_stable(rig: Rig) -> None:
    rig.nomad.add_version(scheduled(v="1"))
    rig.nomad.add_version(scheduled(v="2"))
    versions = rig.nomad.jobs.versions("retention")
    back = last_healthy(versions)
    assert back is not None and back.version == 0
