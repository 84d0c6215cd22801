from __future__ import annotations

from typing import Any

import pytest

from flowrex.errors import DeploymentFailed, StalePlan, UsageError
from flowrex.nomad import JobVersion
from flowrex.nomad.jobs import Submitted
from generator.deploy import Outcome, deploy
from generator.environment import Environment
from generator.rollback import choose, fingerprint, go_back, last_healthy, named
from generator.run import run
from tests.unit.generator.rolling import Rig, spec, step

NAMES = ["migrate", "backend", "nginx"]


def version(number: int, runs: str, *, stable: bool = True, **more: Any) -> JobVersion:
    raw = {
        "ID": "backend",
        "Version": number,
        "Stable": stable,
        "Type": "service",
        "Status": "running",
        "Stop": False,
        "JobModifyIndex": number * 10,
        "SubmitTime": number,
        "Meta": {"release": runs},
    }
    return JobVersion.parse({**raw, **more})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([version(2, "c"), version(1, "b"), version(0, "a")], 1),
        ([version(2, "c"), version(1, "b", stable=False), version(0, "a")], 0),
        ([version(1, "b"), version(0, "a", stable=False)], None),
        ([version(0, "a")], None),
        ([], None),
    ],
)
def test_the_last_healthy_version_is_older_and_stable(
    history: list[JobVersion], expected: int | None
) -> None:
    found = last_healthy(history)
    assert (found.version if found else None) == expected


def test_a_second_rollback_goes_further_back_and_not_forth_again() -> None:
    history = [version(3, "b"), version(2, "c"), version(1, "b"), version(0, "a")]
    found = last_healthy(history)
    assert found is not None and found.version == 0


def test_a_constraint_that_a_revert_repeats_makes_no_other_version() -> None:
    linux = {"LTarget": "${attr.kernel.name}", "Operand": "=", "RTarget": "linux"}
    once, twice = ({"TaskGroups": [{"Constraints": [linux] * count}]} for count in (1, 2))
    assert fingerprint(once) == fingerprint(twice)
    assert fingerprint(once) != fingerprint({"TaskGroups": [{"Constraints": []}]})


def test_a_version_that_was_stopped_is_not_gone_back_to() -> None:
    history = [version(2, "c"), version(1, "b", Stop=True), version(0, "a")]
    found = last_healthy(history)
    assert found is not None and found.version == 0


def test_a_version_that_was_stopped_can_not_be_named_either() -> None:
    tag = {"Name": "good"}
    history = [version(2, "c"), version(1, "b", Stop=True, VersionTag=tag), version(0, "a")]
    assert named(history, "1") is None
    assert named(history, "b") is None
    assert named(history, "good") is None


def test_what_is_no_number_to_python_is_none_here(rig: Rig, dev: Environment) -> None:
    with pytest.raises(UsageError, match="no version, tag or release '²'"):
        back(rig, dev, "backend", to="²")


def test_a_job_that_was_stopped_does_not_run_its_last_version(rig: Rig, dev: Environment) -> None:
    rig.nomad.jobs.stop("backend")
    (outcome,) = back(rig, dev, "backend", to="1.1.0")
    assert outcome.result == "reverted"
    assert not rig.nomad.jobs.get("backend").stop
    assert running(rig) == "1.1.0"


def test_a_version_is_named_by_number_tag_or_release() -> None:
    tagged = version(1, "1.1.0", VersionTag={"Name": "good"})
    history = [version(2, "1.2.0"), tagged, version(0, "1.0.0")]
    assert named(history, "0") is history[2]
    assert named(history, "good") is tagged
    assert named(history, "1.1.0") is tagged
    assert named(history, "7") is None
    assert named(history, "1.9.9") is None


def test_a_release_that_never_became_healthy_is_named_by_number_only() -> None:
    history = [version(1, "1.1.0"), version(0, "1.0.0", stable=False)]
    assert named(history, "1.0.0") is None
    assert named(history, "0") is history[1]


@pytest.fixture
def rig() -> Rig:
    """One that went from release 1.0.0 to 1.1.0."""
    rig = Rig()
    rig.in_service(spec(release="1.0.0"))
    rig.in_service(spec(release="1.1.0"))
    rig.in_service(spec("nginx", canary=0))
    return rig


def back(rig: Rig, dev: Environment, *names: str, to: str | None = None) -> list[Outcome]:
    setup = rig.setup(dev)
    targets = choose(setup, list(names) or NAMES, to=to, chosen=bool(names))
    return go_back(setup, targets, to)


def running(rig: Rig) -> str:
    return str(rig.nomad.jobs.get("backend").spec["Meta"]["release"])


def test_a_job_that_is_named_goes_back_through_its_canary_to_the_end(
    rig: Rig, dev: Environment
) -> None:
    (outcome,) = back(rig, dev, "backend")
    assert (outcome.result, outcome.version, outcome.previous) == ("reverted", 2, 1)
    assert rig.nomad.written == [("revert", "backend"), ("promote", "backend")]
    assert running(rig) == "1.0.0"
    assert rig.nomad.jobs.get("backend").stable


def test_without_a_name_what_the_last_release_changed_goes_back(rig: Rig, dev: Environment) -> None:
    todo = step(rig.nomad, spec(release="1.2.0"))
    run(rig.setup(dev), [todo], version="1.2.0", promote=True)
    rig.nomad.written.clear()
    assert [one.job for one in back(rig, dev)] == ["backend"]
    assert running(rig) == "1.1.0"


def test_after_a_failed_release_the_one_before_it_is_meant(rig: Rig, dev: Environment) -> None:
    todo = step(rig.nomad, spec(release="1.2.0"))
    run(rig.setup(dev), [todo], version="1.2.0", promote=True)
    with pytest.raises(DeploymentFailed):
        bad = step(rig.nomad, spec(release="1.3.0", behaviour="unhealthy"))
        run(rig.setup(dev), [bad], version="1.3.0", promote=True)
    for _ in range(4):
        rig.nomad.tick()
    assert running(rig) == "1.2.0"
    assert [one.job for one in back(rig, dev)] == ["backend"]
    assert running(rig) == "1.1.0"


def test_without_records_the_job_that_was_changed_last_is_meant(rig: Rig, dev: Environment) -> None:
    rig.in_service(spec(release="1.2.0"))
    assert [one.job for one in back(rig, dev)] == ["backend"]


def test_a_canary_that_waits_is_given_up(rig: Rig, dev: Environment) -> None:
    deploy(rig.watch(), step(rig.nomad, spec(release="1.2.0")), promote=False)
    rig.nomad.written.clear()
    (outcome,) = back(rig, dev)
    assert (outcome.job, outcome.result) == ("backend", "reverted")
    assert rig.nomad.written == [("fail", "backend")]
    assert running(rig) == "1.1.0"


def test_a_canary_without_a_stable_version_beside_it_can_not_be_rolled_back(
    dev: Environment,
) -> None:
    rig = Rig()
    rig.nomad.add_version(spec(v="1"))
    rig.nomad.tick()
    rig.nomad.add_version(spec(v="2"))
    with pytest.raises(DeploymentFailed, match="there is no stable version") as caught:
        back(rig, dev)
    assert caught.value.hint == "Nomad has: 1 (never healthy), 0 (never healthy)"


def test_a_release_is_gone_back_to_by_its_name_where_it_was(rig: Rig, dev: Environment) -> None:
    assert [one.job for one in back(rig, dev, to="1.0.0")] == ["backend"]
    assert running(rig) == "1.0.0"


@pytest.mark.parametrize("to", ["99", "9.9.9", "nope"])
def test_a_version_that_is_not_known_is_an_error_that_lists_the_known(
    to: str, rig: Rig, dev: Environment
) -> None:
    with pytest.raises(UsageError) as caught:
        back(rig, dev, "backend", to=to)
    assert caught.value.exit_status == 2
    assert to in caught.value.message
    assert "1 (1.1.0, healthy), 0 (1.0.0, healthy)" in (caught.value.hint or "")
    assert rig.nomad.written == []


def test_a_number_alone_does_not_say_of_which_job(rig: Rig, dev: Environment) -> None:
    with pytest.raises(UsageError) as caught:
        back(rig, dev, to="0")
    assert "flowrexctl rollback dev backend --to 0" in (caught.value.hint or "")


def test_going_back_to_what_runs_is_an_error(rig: Rig, dev: Environment) -> None:
    with pytest.raises(UsageError, match="is what runs already"):
        back(rig, dev, "backend", to="1.1.0")


def test_without_an_earlier_healthy_version_it_is_an_error(rig: Rig, dev: Environment) -> None:
    with pytest.raises(UsageError, match="nginx has no earlier version"):
        back(rig, dev, "nginx")


def test_batch_jobs_are_not_rolled_back(dev: Environment) -> None:
    rig = Rig()
    rig.nomad.add_version(spec("migrate", kind="batch", count=1))
    with pytest.raises(UsageError, match="nothing is deployed that could be rolled back"):
        back(rig, dev, "migrate")


def test_a_job_that_somebody_changes_at_the_same_time_is_not_reverted(
    rig: Rig, dev: Environment
) -> None:
    real = rig.nomad.jobs.revert

    def revert(job_id: str, version: int, *, current: int) -> Submitted:
        rig.nomad.add_version(spec(release="theirs"))
        return real(job_id, version, current=current)

    rig.nomad.jobs.revert = revert  # type: ignore[method-assign]
    with pytest.raises(StalePlan):
        back(rig, dev, "backend")
    assert running(rig) == "theirs"
