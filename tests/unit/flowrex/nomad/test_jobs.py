from __future__ import annotations

from typing import Any

import pytest
import requests_mock as mocking

from flowrex.errors import ServerRefused
from flowrex.nomad import IndexConflict, JobVersion, NomadClient
from flowrex.nomad.model import Allocation, Check, Deployment, consul_checks
from tests.unit.flowrex.nomad.stub import Stub

ADDRESS = "http://127.0.0.1:4646"
JOB = {"ID": "backend", "TaskGroups": []}


def test_a_job_is_registered_only_at_the_expected_index(requests_mock: mocking.Mocker) -> None:
    requests_mock.post(f"{ADDRESS}/v1/jobs", json={"EvalID": "e1", "JobModifyIndex": 42})
    submitted = NomadClient(ADDRESS).jobs.register(JOB, expected_index=41, source="job {}")
    request = requests_mock.last_request
    assert request is not None
    body = request.json()
    assert (body["EnforceIndex"], body["JobModifyIndex"]) == (True, 41)
    assert body["Submission"] == {"Source": "job {}", "Format": "hcl2"}
    assert (submitted.evaluation_id, submitted.index) == ("e1", 42)


def test_another_index_is_a_conflict_of_its_own_kind(requests_mock: mocking.Mocker) -> None:
    text = "Enforcing job modify index 1: job exists with conflicting job modify index: 2"
    requests_mock.post(f"{ADDRESS}/v1/jobs", status_code=500, text=text)
    with pytest.raises(IndexConflict):
        NomadClient(ADDRESS).jobs.register(JOB, expected_index=1)


def test_any_other_refusal_is_none(requests_mock: mocking.Mocker) -> None:
    requests_mock.post(f"{ADDRESS}/v1/jobs", status_code=500, text="no such driver")
    with pytest.raises(ServerRefused) as caught:
        NomadClient(ADDRESS).jobs.register(JOB, expected_index=1)
    assert not isinstance(caught.value, IndexConflict)


def test_a_job_that_is_not_there_is_none(nomad: Stub) -> None:
    nomad.tell("GET", "/v1/job/backend", b"job not found", status=404)
    assert NomadClient(nomad.address).jobs.find("backend") is None


def test_a_plan_asks_for_the_diff(nomad: Stub) -> None:
    nomad.tell("PUT", "/v1/job/backend/plan", {"JobModifyIndex": 0})
    NomadClient(nomad.address).jobs.plan(JOB)
    assert nomad.last.json() == {"Job": JOB, "Diff": True}


def test_a_version_gets_and_loses_its_name(nomad: Stub) -> None:
    path = "/v1/job/backend/versions/1.2.0/tag"
    nomad.tell("PUT", path, {})
    nomad.tell("DELETE", path, {})
    jobs = NomadClient(nomad.address).jobs
    jobs.tag("backend", 3, "1.2.0", "why")
    assert nomad.last.json() == {"Version": 3, "Description": "why"}
    jobs.untag("backend", "1.2.0")
    assert nomad.last.method == "DELETE"


def test_validation_gives_errors_and_warnings(nomad: Stub) -> None:
    path = "/v1/validate/job"
    nomad.tell("PUT", path, {"ValidationErrors": ["a", "b"], "Warnings": "w"})
    assert NomadClient(nomad.address).jobs.validate(JOB) == (["a", "b"], "w")
    nomad.tell("PUT", path, {"ValidationErrors": None, "Error": "odd"})
    assert NomadClient(nomad.address).jobs.validate(JOB) == (["odd"], "")


def version(**more: Any) -> JobVersion:
    raw = {
        "ID": "backend",
        "Version": 3,
        "Stable": True,
        "Type": "service",
        "Status": "running",
        "Stop": False,
        "JobModifyIndex": 9,
        "SubmitTime": 1_700_000_000_000_000_000,
        "VersionTag": {"Name": "1.0.0"},
    }
    return JobVersion.parse({**raw, **more})


def test_the_checks_that_consul_runs_are_found_in_groups_and_tasks() -> None:
    service = {"Name": "backend", "Provider": "consul", "Checks": [{"Name": "ready"}]}
    own = {"Name": "side", "Checks": [{"Name": "live"}]}
    nomads = {"Name": "n", "Provider": "nomad", "Checks": [{"Name": "x"}]}
    group = {"Count": 2, "Services": [service, nomads], "Tasks": [{"Services": [own]}]}
    job = version(TaskGroups=[group, {"Count": 1, "Services": None, "Tasks": None}])
    assert consul_checks(job) == (Check("backend", "ready"), Check("side", "live"))
    assert job.count == 3
    assert job.tag == "1.0.0"
    assert job.submitted.isoformat() == "2023-11-14T22:13:20+00:00"


def test_a_deployment_without_groups_or_description_is_read() -> None:
    raw = {"ID": "d", "JobID": "b", "JobVersion": 0, "Status": "pending", "TaskGroups": None}
    deployment = Deployment.parse(raw)
    assert deployment.active
    assert not deployment.waits_for_promotion


def test_an_allocation_of_a_list_and_a_whole_one_are_read_alike() -> None:
    raw = {
        "ID": "0123456789",
        "Name": "b.b[0]",
        "JobID": "b",
        "TaskGroup": "b",
        "ClientStatus": "running",
        "DesiredStatus": "run",
        "DeploymentStatus": {"Healthy": True, "Canary": True},
        "TaskStates": {"b": {"State": "running", "Failed": False, "Events": None}},
    }
    listed = Allocation.parse({**raw, "JobVersion": 4})
    whole = Allocation.parse({**raw, "Job": {"Version": 4}})
    assert listed == whole
    assert (listed.short_id, listed.live, listed.canary, listed.healthy) == (
        "01234567",
        True,
        True,
        True,
    )
