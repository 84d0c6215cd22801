"""What Flowrex relies on in Nomad, held against the real one and against its stand-in."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flowrex.errors import NotFound, ServerRefused
from flowrex.nomad import Deployment, IndexConflict, NomadClient
from flowrex.testing.nomad import FakeNomad
from generator import periodic
from generator.differ import changes
from tests.cluster import eventually

Nomad = NomadClient | FakeNomad
WITHIN_S = 60


def spec(
    name: str, *, count: int = 1, canary: int = 1, auto_revert: bool = True, **meta: str
) -> dict[str, Any]:
    """Return a service whose task runs until it is stopped, or can't start where meta says so."""
    unhealthy = meta.get("behaviour") == "unhealthy"
    update = {
        "Canary": canary,
        "AutoRevert": auto_revert,
        "MaxParallel": 2,
        "HealthCheck": "task_states",
        "MinHealthyTime": 10_000_000,
        "HealthyDeadline": 8_000_000_000,
        "ProgressDeadline": 0 if unhealthy else 9_000_000_000,
    }
    task = {
        "Name": name,
        "Driver": "raw_exec",
        "Config": {"command": "/no/such" if unhealthy else "/bin/sleep", "args": ["600"]},
        "Resources": {"CPU": 20, "MemoryMB": 10},
        "KillTimeout": 1_000_000_000,
    }
    group = {
        "Name": name,
        "Count": count,
        "Update": update,
        "RestartPolicy": {"Attempts": 0, "Mode": "fail"},
        "ReschedulePolicy": {"Attempts": 0, "Unlimited": False},
        "Tasks": [task],
    }
    return {
        "ID": name,
        "Name": name,
        "Type": "service",
        "Datacenters": ["*"],
        "Meta": meta,
        "TaskGroups": [group],
    }


def batch(name: str, code: int) -> dict[str, Any]:
    job = spec(name, behaviour=f"exit {code}") if code else spec(name)
    job["Type"] = "batch"
    group = job["TaskGroups"][0]
    del group["Update"]
    group["Tasks"][0]["Config"] = {"command": "/bin/sh", "args": ["-c", f"exit {code}"]}
    return job


def register(nomad: Nomad, job: dict[str, Any]) -> None:
    there = nomad.jobs.find(job["ID"])
    index = there.job_modify_index if there else 0
    scheduled(nomad, nomad.jobs.register(job, expected_index=index).evaluation_id)


def scheduled(nomad: Nomad, evaluation_id: str) -> None:
    """Wait until the scheduler is done with an evaluation."""
    seen = 0
    for _ in range(WITHIN_S):
        evaluation, seen = nomad.jobs.wait_evaluation(evaluation_id, seen, 1)
        if evaluation.ended:
            return
    raise AssertionError("the evaluation did not end")


def follow(nomad: Nomad, name: str, *, to_canary: bool = False) -> Deployment:
    """Wait for the newest deployment's end, or until its canary is healthy."""
    deployment = nomad.deployments.of_job(name)[0]
    end, index = time.monotonic() + WITHIN_S, 0
    while deployment.active and time.monotonic() < end:
        deployment, index = nomad.deployments.wait(deployment.id, index, 1)
        if to_canary and deployment.groups[name].healthy and deployment.waits_for_promotion:
            return deployment
    assert not deployment.active
    return deployment


def in_service(nomad: Nomad, name: str, **meta: Any) -> None:
    register(nomad, spec(name, **meta))
    assert follow(nomad, name).status == "successful"


def test_a_job_that_is_not_there(nomad: Nomad, name: str) -> None:
    assert nomad.jobs.find(name) is None
    assert nomad.deployments.of_job(name) == []
    assert nomad.allocations.of_job(name) == []
    with pytest.raises(NotFound):
        nomad.jobs.get(name)


def test_a_job_is_taken_at_the_expected_index_only(nomad: Nomad, name: str) -> None:
    with pytest.raises(IndexConflict):
        nomad.jobs.register(spec(name), expected_index=7)
    submitted = nomad.jobs.register(spec(name), expected_index=0)
    assert nomad.jobs.get(name).job_modify_index == submitted.index
    with pytest.raises(IndexConflict):
        nomad.jobs.register(spec(name, v="2"), expected_index=0)
    again = nomad.jobs.register(spec(name, v="2"), expected_index=submitted.index)
    assert again.index > submitted.index
    assert nomad.jobs.get(name).version == 1


def test_a_plan_tells_new_same_and_different(nomad: Nomad, name: str) -> None:
    job = spec(name, v="1")
    assert nomad.jobs.plan(job)["Diff"]["Type"] == "Added"
    assert nomad.jobs.plan(job)["JobModifyIndex"] == 0
    register(nomad, job)
    same = nomad.jobs.plan(job)
    assert same["Diff"]["Type"] == "None"
    assert same["JobModifyIndex"] == nomad.jobs.get(name).job_modify_index
    assert nomad.jobs.plan(spec(name, v="2"))["Diff"]["Type"] == "Edited"


def test_a_first_deployment_needs_no_promotion_and_makes_a_stable_version(
    nomad: Nomad, name: str
) -> None:
    register(nomad, spec(name, count=2))
    assert nomad.deployments.of_job(name)[0].groups[name].desired_canaries == 0
    deployment = follow(nomad, name)
    assert (deployment.status, deployment.job_version) == ("successful", 0)
    assert nomad.jobs.get(name).stable
    own = nomad.deployments.allocations(deployment.id)
    assert [(one.live, one.healthy, one.canary) for one in own] == [(True, True, False)] * 2


def test_an_update_waits_beside_the_old_version_until_it_is_promoted(
    nomad: Nomad, name: str
) -> None:
    in_service(nomad, name, v="1")
    register(nomad, spec(name, v="2"))
    deployment = follow(nomad, name, to_canary=True)
    group = deployment.groups[name]
    assert (group.desired_canaries, len(group.canaries), group.promoted) == (1, 1, False)
    assert {one.job_version for one in nomad.allocations.of_job(name) if one.live} == {0, 1}
    assert not nomad.jobs.get(name).stable
    nomad.deployments.promote(deployment.id)
    assert not nomad.deployments.get(deployment.id).waits_for_promotion
    assert follow(nomad, name).status == "successful"
    assert nomad.jobs.get(name).stable
    with pytest.raises(ServerRefused):
        nomad.deployments.promote(deployment.id)


def test_a_canary_that_is_given_up_brings_the_stable_version_back(nomad: Nomad, name: str) -> None:
    in_service(nomad, name, v="1")
    register(nomad, spec(name, v="2"))
    deployment = follow(nomad, name, to_canary=True)
    nomad.deployments.fail(deployment.id)
    assert nomad.deployments.get(deployment.id).status == "failed"
    eventually(lambda: nomad.deployments.of_job(name)[0].id != deployment.id, what="a way back")
    assert follow(nomad, name).status == "successful"
    current = nomad.jobs.get(name)
    assert (current.version, current.stable, current.spec["Meta"]) == (2, True, {"v": "1"})


def test_a_first_version_that_fails_has_nothing_to_go_back_to(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name, behaviour="unhealthy"))
    assert follow(nomad, name).status == "failed"
    current = nomad.jobs.get(name)
    assert (current.version, current.stable) == (0, False)


def test_a_newer_version_cancels_the_deployment_before_it(nomad: Nomad, name: str) -> None:
    in_service(nomad, name, v="1")
    register(nomad, spec(name, v="2"))
    first = follow(nomad, name, to_canary=True)
    register(nomad, spec(name, v="3"))
    assert nomad.deployments.get(first.id).status == "cancelled"


def test_a_job_that_wants_nothing_gets_no_deployment(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name, count=0))
    assert nomad.deployments.of_job(name) == []


def test_an_earlier_version_becomes_the_newest_through_a_canary(nomad: Nomad, name: str) -> None:
    in_service(nomad, name, v="1")
    register(nomad, spec(name, v="2"))
    nomad.deployments.promote(follow(nomad, name, to_canary=True).id)
    follow(nomad, name)
    with pytest.raises(ServerRefused, match="Current job has version 1"):
        nomad.jobs.revert(name, 0, current=0)
    submitted = nomad.jobs.revert(name, 0, current=1)
    current = nomad.jobs.get(name)
    assert (current.version, current.job_modify_index) == (2, submitted.index)
    assert current.spec["Meta"] == {"v": "1"}
    scheduled(nomad, submitted.evaluation_id)
    assert follow(nomad, name, to_canary=True).waits_for_promotion


def test_a_jobs_evaluations_are_not_those_of_a_job_whose_name_begins_so(
    nomad: Nomad, name: str
) -> None:
    register(nomad, spec(name))
    own = {one.id for one in nomad.jobs.evaluations(name)}
    register(nomad, spec(f"{name}-more"))
    more = {one.id for one in nomad.jobs.evaluations(f"{name}-more")}
    again = {one.id for one in nomad.jobs.evaluations(name)}
    assert own
    assert more
    assert own <= again
    assert not more & again


def test_going_back_to_a_version_that_was_stopped_stops_the_job(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name))
    nomad.jobs.stop(name)
    register(nomad, spec(name))
    nomad.jobs.revert(name, 1, current=2)
    assert nomad.jobs.get(name).stop


def test_going_back_to_a_version_that_never_was_is_refused(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name))
    with pytest.raises(ServerRefused):
        nomad.jobs.revert(name, 99, current=0)


def test_a_name_belongs_to_one_version_and_changes_no_index(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name, v="1"))
    register(nomad, spec(name, v="2"))
    index = nomad.jobs.get(name).job_modify_index
    nomad.jobs.tag(name, 0, "1.0.0+build.1", "why")
    assert [one.tag for one in nomad.jobs.versions(name)] == [None, "1.0.0+build.1"]
    with pytest.raises(ServerRefused):
        nomad.jobs.tag(name, 1, "1.0.0+build.1")
    nomad.jobs.untag(name, "1.0.0+build.1")
    nomad.jobs.tag(name, 1, "1.0.0+build.1")
    assert [one.tag for one in nomad.jobs.versions(name)] == ["1.0.0+build.1", None]
    assert nomad.jobs.get(name).job_modify_index == index


def test_a_name_is_replaced_without_being_taken_away(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name, v="1"))
    nomad.jobs.tag(name, 0, "first", "why")
    nomad.jobs.tag(name, 0, "second", "why else")
    (only,) = nomad.jobs.versions(name)
    assert only.tag == "second"
    assert only.spec["VersionTag"]["Description"] == "why else"


def test_old_versions_are_forgotten_but_not_those_with_a_name(nomad: Nomad, name: str) -> None:
    for number in range(9):
        register(nomad, spec(name, count=0, v=str(number)))
        if number == 1:
            nomad.jobs.tag(name, 1, "1.0.0", "why")
    assert [one.version for one in nomad.jobs.versions(name)] == [8, 7, 6, 5, 4, 3, 1]
    nomad.jobs.untag(name, "1.0.0")
    assert [one.version for one in nomad.jobs.versions(name)] == [8, 7, 6, 5, 4, 3], "at once"


def test_scaling_makes_a_version_of_its_own_with_the_same_name_and_no_canary(
    nomad: Nomad, name: str
) -> None:
    in_service(nomad, name)
    nomad.jobs.tag(name, 0, "1.0.0", "why")
    before = nomad.jobs.get(name)
    scheduled(nomad, nomad.jobs.scale(name, name, 2, reason="more to do"))
    current = nomad.jobs.get(name)
    assert (current.version, current.count, current.stable) == (1, 2, True)
    assert current.job_modify_index > before.job_modify_index
    assert [one.tag for one in nomad.jobs.versions(name)] == ["1.0.0", "1.0.0"]
    deployment = nomad.deployments.of_job(name)[0]
    assert (deployment.job_version, deployment.groups[name].desired_canaries) == (1, 0)
    with pytest.raises(IndexConflict):
        nomad.jobs.register(spec(name), expected_index=before.job_modify_index)


def test_what_scaling_changed_is_the_count_alone(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name, v="1"))
    with pytest.raises(ServerRefused, match="active deployment"):
        nomad.jobs.scale(name, name, 2)
    follow(nomad, name)
    scheduled(nomad, nomad.jobs.scale(name, name, 2))
    register(nomad, spec(name, v="2", count=2))
    _, diffs = nomad.jobs.version_diffs(name)
    (count,) = changes(diffs[1])
    assert (count.group, count.path, count.old, count.new) == (name, ("count",), "1", "2")
    assert [change.path for change in changes(diffs[0])] == [("meta v",)]
    assert [one.path for one in changes(nomad.jobs.plan(spec(name, v="2"))["Diff"])] == [("count",)]


def test_every_job_is_listed(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name))
    (found,) = [one for one in nomad.jobs.stubs() if one.id == name]
    assert (found.type, found.stop, found.parent) == ("service", False, "")
    nomad.jobs.stop(name)
    (found,) = [one for one in nomad.jobs.stubs() if one.id == name]
    assert found.stop


def test_what_each_version_changed_is_known(nomad: Nomad, name: str) -> None:
    for number in range(3):
        register(nomad, spec(name, v=str(number)))
    versions, diffs = nomad.jobs.version_diffs(name)
    assert [one.version for one in versions] == [2, 1, 0]
    assert [one["Type"] for one in diffs] == ["Edited", "Edited"]


def test_what_changed_since_a_version_is_known(nomad: Nomad, name: str) -> None:
    for number in range(3):
        register(nomad, spec(name, v=str(number)))
    versions, diffs = nomad.jobs.version_diffs(name, against=0)
    found = [changes(diff) for diff in diffs]
    assert [one.version for one in versions] == [2, 1, 0]
    assert [[(one.old, one.new) for one in each] for each in found] == [
        [("0", "2")],
        [("0", "1")],
        [],
    ]
    with pytest.raises(ServerRefused, match="not found"):
        nomad.jobs.version_diffs(name, against=99)


def test_a_stopped_job_stays_known_and_can_be_started_again(nomad: Nomad, name: str) -> None:
    in_service(nomad, name)
    nomad.jobs.stop(name)
    assert nomad.jobs.get(name).stop
    assert nomad.jobs.plan(spec(name))["Diff"]["Type"] == "Edited"
    register(nomad, spec(name))
    current = nomad.jobs.get(name)
    assert (current.stop, current.version) == (False, 2)
    assert follow(nomad, name).status == "successful"


def test_a_node_tells_how_its_own_agent_is_configured(nomad: Nomad) -> None:
    (node,) = nomad.nodes.list()
    templates = nomad.nodes.configuration(node.id)["TemplateConfig"]
    # Nomad's default, which ends tasks when the server is away for long.
    for server in ("ConsulRetry", "VaultRetry", "NomadRetry"):
        assert templates[server]["Attempts"] == 12
    with pytest.raises(NotFound):
        nomad.nodes.configuration("00000000-0000-0000-0000-000000000000")


def test_a_drained_node_takes_nothing_until_it_is_given_back(nomad: Nomad, name: str) -> None:
    in_service(nomad, name)
    (node,) = nomad.nodes.list()
    assert (node.status, node.eligible, node.draining) == ("ready", True, False)
    nomad.nodes.drain(node.id, deadline_s=60)
    try:
        assert not nomad.nodes.list()[0].eligible
        register(nomad, spec(f"{name}-other"))
        assert nomad.allocations.of_job(f"{name}-other") == []
    finally:
        nomad.nodes.undrain(node.id)
    (node,) = nomad.nodes.list()
    assert (node.eligible, node.draining) == (True, False)
    nomad.jobs.stop(f"{name}-other")
    register(nomad, spec(name, again="1"))
    assert follow(nomad, name, to_canary=True).active


def test_a_job_that_is_looked_at_again_stays_as_it_is(nomad: Nomad, name: str) -> None:
    in_service(nomad, name)
    before = nomad.jobs.get(name)
    scheduled(nomad, nomad.jobs.evaluate(name))
    assert nomad.jobs.get(name).version == before.version
    assert len([one for one in nomad.allocations.of_job(name) if one.live]) == before.count


def test_a_job_that_is_purged_is_forgotten(nomad: Nomad, name: str) -> None:
    register(nomad, spec(name))
    nomad.jobs.stop(name, purge=True)
    assert nomad.jobs.find(name) is None


@pytest.mark.parametrize(("code", "status"), [(0, "complete"), (3, "failed")])
def test_a_batch_job_ends_by_itself(nomad: Nomad, name: str, code: int, status: str) -> None:
    name = f"{name}-{code}"
    register(nomad, batch(name, code))
    end, index = time.monotonic() + WITHIN_S, 0
    allocations, index = nomad.allocations.wait_job(name, index, 1)
    while not allocations or allocations[0].live:
        assert time.monotonic() < end
        allocations, index = nomad.allocations.wait_job(name, index, 1)
    (only,) = allocations
    assert only.client_status == status
    exits = [event.exit_code for event in only.tasks[name].events if event.exit_code is not None]
    assert exits == [code]
    assert nomad.deployments.of_job(name) == []


def test_a_batch_job_runs_again_when_it_is_stopped_and_submitted_again(
    nomad: Nomad, name: str
) -> None:
    for runs in (1, 2):
        register(nomad, batch(name, 0))
        end, index = time.monotonic() + WITHIN_S, 0
        while True:
            allocations, index = nomad.allocations.wait_job(name, index, 1)
            if len(allocations) == runs and not any(one.live for one in allocations):
                break
            assert time.monotonic() < end
        nomad.jobs.stop(name)


def test_a_job_on_a_schedule_is_started_as_a_job_of_its_own(nomad: Nomad, name: str) -> None:
    job = batch(name, 0)
    job["Periodic"] = {"Enabled": True, "SpecType": "cron", "Specs": ["*/2 * * * * * *"]}
    assert nomad.jobs.register(job, expected_index=0).evaluation_id == ""
    current = nomad.jobs.get(name)
    assert (current.periodic, current.stable, current.proven) == (True, False, True)
    assert nomad.deployments.of_job(name) == []
    assert nomad.allocations.of_job(name) == []
    if isinstance(nomad, FakeNomad):
        nomad.start_periodic(name)
        nomad.tick()
        nomad.tick()
    eventually(
        lambda: [one.client_status for one in periodic.last_run(nomad, current)] == ["complete"],  # type: ignore[arg-type]
        within=30,
        what="a start that ran to its end",
    )
    nomad.jobs.stop(name)
    assert periodic.runs(nomad, name)[0].job_id.startswith(f"{name}/periodic-")  # type: ignore[arg-type]
    assert nomad.jobs.plan(job)["Diff"]["Type"] != "None", "a stopped schedule is not as planned"
