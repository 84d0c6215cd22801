from __future__ import annotations

import json
from dataclasses import replace
from typing import cast

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.errors import DeploymentFailed
from flowrex.nomad import NomadClient
from generator import lock, status
from generator.deploy import Outcome, deploy
from generator.recorder import Recorder
from generator.restore import progress
from generator.restore.progress import Progress
from generator.standing import standing
from generator.status import Status
from tests.unit.generator.rolling import Rig, spec, step

NAMES = ["migrate", "backend"]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def read(rig: Rig) -> Status:
    return status.read("dev", cast(NomadClient, rig.nomad), cast(ConsulClient, rig.consul), NAMES)


def begin(rig: Rig) -> Recorder:
    consul = cast(ConsulClient, rig.consul)
    return Recorder(consul, "dev", "run", "1.4.0", "run dev", history=9)


def state(rig: Rig, name: str = "backend") -> str:
    return standing(cast(NomadClient, rig.nomad), name).state


def test_an_empty_environment_says_what_to_type(rig: Rig) -> None:
    said = status.sentences(read(rig))
    assert said == ["No run is recorded.", "Next: flowrexctl run dev"]


def test_a_job_in_service_needs_nothing(rig: Rig) -> None:
    rig.in_service(spec(release="1.4.0"))
    found = read(rig).jobs[1]
    assert (found.state, found.release, found.next_command("dev")) == ("in service", "1.4.0", None)
    assert found.counts == {"desired": 2, "running": 2, "healthy": 2, "canaries": 0}


def test_a_system_job_wants_as_many_as_there_are_nodes_for_it(rig: Rig) -> None:
    rig.in_service(spec(count=1))
    found = standing(cast(NomadClient, rig.nomad), "backend")
    assert found.current is not None and found.deployment is not None
    groups = {name: replace(one, desired_total=3) for name, one in found.deployment.groups.items()}
    deployment = replace(found.deployment, groups=groups)
    assert replace(found, deployment=deployment).counts["desired"] == 1
    system = replace(found, current=replace(found.current, type="system"), deployment=deployment)
    assert system.counts["desired"] == 3
    (one,) = found.allocations
    lost = replace(one, client_status="lost", desired_status="stop", node="node-3")
    there = (replace(one, node="node-1"), replace(one, node="node-2"))
    assert replace(system, allocations=(*there, lost)).counts["desired"] == 2
    again = replace(one, node="node-3")
    assert replace(system, allocations=(again, *there, lost)).counts["desired"] == 3
    before = replace(lost, job_version=found.current.version - 1)
    assert replace(system, allocations=(*there, before)).counts["desired"] == 3


def test_a_job_whose_deployment_nomad_has_forgotten_is_in_service_by_its_versions_word(
    rig: Rig,
) -> None:
    rig.in_service(spec(count=1))
    found = standing(cast(NomadClient, rig.nomad), "backend")
    assert found.current is not None
    forgotten = replace(found, deployment=None)
    assert forgotten.state == "in service"
    unproven = replace(forgotten, current=replace(found.current, stable=False))
    assert unproven.state == found.current.status == "running"


def test_a_canary_is_counted_and_its_promotion_suggested(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=False)
    found = read(rig).jobs[1]
    assert (found.state, found.next_command("dev")) == ("canary", "flowrexctl promote dev backend")
    assert found.counts == {"desired": 2, "running": 3, "healthy": 3, "canaries": 1}
    assert "Next: flowrexctl promote dev backend" in status.sentences(read(rig))


def test_a_canary_that_is_not_healthy_yet_is_still_on_its_way(rig: Rig) -> None:
    rig.in_service(spec(v="1"))
    rig.nomad.add_version(spec(v="2"))
    rig.nomad.tick()
    assert state(rig) == "deploying"
    assert read(rig).jobs[1].next_command("dev") is None


def test_a_failed_job_is_to_be_run_again(rig: Rig) -> None:
    with pytest.raises(DeploymentFailed):
        deploy(rig.watch(), step(rig.nomad, spec(behaviour="unhealthy")), promote=False)
    assert state(rig) == "failed"
    assert "backend: Failed due to unhealthy allocations." in status.sentences(read(rig))


def test_a_stopped_job_is_stopped(rig: Rig) -> None:
    rig.in_service(spec())
    rig.nomad.jobs.stop("backend")
    assert state(rig) == "stopped"


@pytest.mark.parametrize(("behaviour", "word"), [("", "ran"), ("exit 3", "failed")])
def test_a_batch_job_ran_or_failed(rig: Rig, behaviour: str, word: str) -> None:
    rig.nomad.add_version(spec("migrate", kind="batch", count=1, behaviour=behaviour))
    assert state(rig, "migrate") == "running"
    rig.nomad.tick()
    assert state(rig, "migrate") == word


def test_a_batch_job_that_was_stopped_half_way_did_not_run(rig: Rig) -> None:
    rig.nomad.add_version(spec("migrate", kind="batch", count=1))
    rig.nomad.jobs.stop("migrate")
    assert state(rig, "migrate") == "failed"


def test_a_run_that_was_killed_is_explained(rig: Rig) -> None:
    begin(rig).add(Outcome("migrate", "ran", 3, 2))
    found = read(rig)
    assert found.died is not None
    (first, *_) = status.sentences(found)
    assert "ended without a word" in first
    assert "It had done: migrate (ran)." in first
    assert found.as_document()["unfinished_run"] == found.died.id
    assert "Next: flowrexctl resume dev" in status.sentences(found)


def test_a_run_that_holds_the_lock_is_at_work_and_not_dead(rig: Rig) -> None:
    with lock.hold(cast(ConsulClient, rig.consul), "dev", "run dev", ttl_s=15):
        begin(rig)
        found = read(rig)
    assert found.died is None
    assert status.sentences(found)[0].startswith("The lock is held by ")


def test_a_dead_run_is_known_while_another_holds_the_lock(rig: Rig) -> None:
    begin(rig)
    own = rig.consul.session_create("other", 15)
    other = {"who": "a", "host": "elsewhere", "pid": 1, "since": "", "what": "status"}
    rig.consul.kv_put(keys.deploy_lock("dev"), json.dumps(other), acquire=own)
    assert read(rig).died is not None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, "is done."),
        (KeyboardInterrupt(), "was interrupted; what Nomad had begun went on."),
        (DeploymentFailed("backend failed\n  because"), "failed: backend failed"),
    ],
)
def test_how_the_last_run_ended_is_told(rig: Rig, error: BaseException | None, words: str) -> None:
    begin(rig).end(error)
    assert status.sentences(read(rig))[0].endswith(words)


def test_the_document_has_one_entry_a_job(rig: Rig) -> None:
    rig.in_service(spec(release="1.4.0"))
    document = read(rig).as_document()
    migrate, backend = document["jobs"]
    assert (migrate["job"], migrate["state"]) == ("migrate", "absent")
    assert (backend["state"], backend["waits_for_promotion"]) == ("in service", False)
    json.dumps(document)


def test_an_emergency_is_said_first(rig: Rig) -> None:
    halt = '{"level": "halt", "reason": "orders doubled", "by": "ann", "at": ""}'
    rig.consul.kv_put(keys.EMERGENCY, halt)
    found = read(rig)
    assert status.sentences(found)[0] == (
        "There is an emergency, at level halt, by ann: orders doubled. "
        "See it: flowrexctl emergency status dev"
    )
    assert found.as_document()["emergency"] == "halt"


def test_a_restore_that_was_cut_off_is_said_with_both_ways_on(rig: Rig) -> None:
    cut = Progress(
        "b1", "flowrex", "n1", "ann", "2026-03-01", False, "restoring", "1", {"backend": 3}
    )
    progress.write(cast(ConsulClient, rig.consul), "dev", cut)
    said = "\n".join(status.sentences(read(rig)))
    assert "was waiting for the agent of n1. Stopped by it: backend (version 3)." in said
    assert "flowrexctl restore dev --resume" in said
    rig.consul.kv_put(keys.restore("dev"), "{")
    assert "is no restore of this version" in "\n".join(status.sentences(read(rig)))
