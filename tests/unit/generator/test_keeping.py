from __future__ import annotations

from typing import Any, cast

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.nomad import JobVersion, NomadClient
from generator import keeping, release
from generator.deploy import Outcome, Result
from generator.recorder import Recorder
from tests.unit.generator.rolling import Rig, spec


@pytest.fixture
def rig() -> Rig:
    return Rig()


def recorder(rig: Rig, *, history: int = 9, version: str = "1.0.0") -> Recorder:
    consul = cast(ConsulClient, rig.consul)
    return Recorder(consul, "dev", "run", version, "run dev", history=history)


def tags(rig: Rig, name: str = "backend") -> dict[int, str | None]:
    return {one.version: one.tag for one in rig.nomad.jobs.versions(name)}


def released(rig: Rig, job: dict[str, Any], *, version: str = "1.0.0", history: int = 9) -> None:
    """Bring a job into service as a run of its own."""
    record = recorder(rig, history=history, version=version)
    rig.in_service(job)
    current = rig.nomad.jobs.get(job["ID"])
    keeping.note(rig.watch(), record, Outcome(job["ID"], "deployed", current.version, None))
    record.end(None)
    keeping.let_go(rig.watch(), cast(ConsulClient, rig.consul), [job["ID"]])


def test_the_code_is_the_artifacts_checksums_and_the_images() -> None:
    job = spec()
    job["TaskGroups"][0]["Tasks"] = [
        {"Artifacts": [{"GetterOptions": {"checksum": "sha256:ab"}}], "Config": {"command": "x"}},
        {"Artifacts": [{"GetterOptions": None}], "Config": {"image": "r/flowrex-backend:1@sha"}},
        {"Artifacts": None, "Config": None},
    ]
    raw = {"Version": 1, "Stable": True, "Status": "", "Stop": False, "JobModifyIndex": 7, **job}
    found = keeping.stand(JobVersion.parse({**raw, "Meta": {"release": "1.0.0"}}))
    assert found == {
        "version": 1,
        "index": 7,
        "release": "1.0.0",
        "stable": True,
        "code": ["r/flowrex-backend:1@sha", "sha256:ab"],
    }


def test_jobs_that_are_not_there_stand_nowhere(rig: Rig) -> None:
    rig.in_service(spec())
    nomad = cast(NomadClient, rig.nomad)
    assert list(keeping.stands(nomad, ["migrate", "backend"])) == ["backend"]
    rig.nomad.down = True
    assert keeping.stands(nomad, ["backend"]) == {}


@pytest.mark.parametrize(
    ("result", "tag"),
    [
        ("deployed", "1.0.0"),
        ("unchanged", "1.0.0"),
        ("ran", "1.0.0"),
        ("reverted", "1.0.0"),
        ("canary", None),
        ("given-up", None),
    ],
)
def test_what_is_in_service_is_named(rig: Rig, result: Result, tag: str | None) -> None:
    rig.in_service(spec())
    record = recorder(rig)
    keeping.note(rig.watch(), record, Outcome("backend", result, 0, None), "abc")
    assert tags(rig) == {0: tag}
    assert record.record.stands["backend"]["version"] == 0
    assert record.record.jobs["backend"]["sha256"] == "abc"


def test_a_job_is_named_after_its_own_release_where_it_has_one(rig: Rig) -> None:
    rig.in_service(spec(release="0.9.0"))
    keeping.note(rig.watch(), recorder(rig), Outcome("backend", "unchanged", 0, None))
    assert tags(rig) == {0: "0.9.0"}


def test_the_newest_version_of_a_release_has_its_name_and_the_older_stay_named(rig: Rig) -> None:
    for change in "abc":
        released(rig, spec(v=change))
    assert tags(rig) == {0: "1.0.0-v0", 1: "1.0.0-v1", 2: "1.0.0"}


def test_a_version_that_was_scaled_has_its_tag_twice_and_then_once(rig: Rig) -> None:
    released(rig, spec(v="a"))
    rig.nomad.jobs.scale("backend", "backend", 5)
    assert tags(rig) == {0: "1.0.0", 1: "1.0.0"}
    keeping.note(rig.watch(), recorder(rig), Outcome("backend", "unchanged", 1, None))
    assert tags(rig) == {0: "1.0.0-v0", 1: "1.0.0"}


def test_what_a_person_has_named_is_left_alone(rig: Rig) -> None:
    rig.in_service(spec())
    rig.nomad.jobs.tag("backend", 0, "golden", "by hand")
    keeping.note(rig.watch(), recorder(rig), Outcome("backend", "unchanged", 0, None))
    assert tags(rig) == {0: "golden"}


def test_what_no_record_names_any_more_is_let_go(rig: Rig) -> None:
    for number in range(4):
        released(rig, spec(release=f"1.{number}.0"), version=f"1.{number}.0", history=2)
    assert tags(rig) == {0: None, 1: None, 2: "1.2.0", 3: "1.3.0"}


def test_what_a_person_has_named_is_not_let_go(rig: Rig) -> None:
    released(rig, spec(v="a"))
    rig.nomad.jobs.untag("backend", "1.0.0")
    rig.nomad.jobs.tag("backend", 0, "golden", "by hand")
    for change in "bcd":
        released(rig, spec(v=change), history=1)
    assert tags(rig) == {0: "golden", 1: None, 2: None, 3: "1.0.0"}


def test_what_an_older_tool_recorded_is_not_let_go(rig: Rig) -> None:
    released(rig, spec(v="a"))
    (record,) = release.history(cast(ConsulClient, rig.consul), "dev")
    old = keys.release("dev", record.id)
    rig.consul.kv_put(
        old,
        '{"id": "1", "environment": "dev", "kind": "run", "version": "1.0.0", "outcome": "done",'
        ' "started": "", "ended": null, "holder": {}, "jobs": {"backend": {"version": 0}},'
        ' "message": null, "format": 1}',
    )
    released(rig, spec(v="b"))
    assert tags(rig) == {0: "1.0.0-v0", 1: "1.0.0"}


def test_that_a_version_gets_no_name_is_told_and_no_failure(rig: Rig) -> None:
    rig.in_service(spec())
    record = recorder(rig)
    rig.nomad.down = True
    keeping.note(rig.watch(), record, Outcome("backend", "deployed", 0, None))
    assert record.record.jobs["backend"]["result"] == "deployed"
    assert rig.told == ["untagged"]
