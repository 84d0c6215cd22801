from __future__ import annotations

from typing import Any, cast

import pytest

from flowrex.nomad import NomadClient
from generator import drift
from generator.deploy import deploy
from tests.unit.generator.rolling import Rig, rendered, spec, step

KNOWN = {"migrate", "backend", "nginx"}
WANTED = [spec("migrate", kind="batch", count=1), spec(v="1"), spec("nginx", canary=0)]


@pytest.fixture
def rig() -> Rig:
    """One where all runs as it is rendered."""
    rig = Rig()
    for job in WANTED:
        deploy(rig.watch(), step(rig.nomad, job), promote=True)
    return rig


def states(rig: Rig, *jobs: dict[str, Any], others: bool = True) -> dict[str, str]:
    found = look(rig, *jobs, others=others)
    return {one.job: one.state for one in found}


def look(rig: Rig, *jobs: dict[str, Any], others: bool = True) -> list[drift.JobDrift]:
    wanted = [rendered(job) for job in jobs or WANTED]
    return drift.look(cast(NomadClient, rig.nomad), wanted, KNOWN if others else None)


def test_what_runs_as_it_is_rendered_is_unchanged(rig: Rig) -> None:
    assert set(states(rig).values()) == {"unchanged"}


def test_a_count_alone_is_told_apart(rig: Rig) -> None:
    rig.nomad.jobs.scale("backend", "backend", 5)
    for _ in range(3):
        rig.nomad.tick()
    assert states(rig)["backend"] == "scaled"
    rig.in_service(spec(v="2", count=5))
    assert states(rig)["backend"] == "changed"


def test_a_job_that_is_not_there_or_was_stopped(rig: Rig) -> None:
    rig.nomad.jobs.stop("backend")
    rig.nomad.jobs.stop("nginx", purge=True)
    assert states(rig) == {"migrate": "unchanged", "backend": "stopped", "nginx": "missing"}


def test_while_a_deployment_is_on_its_way_nothing_is_settled(rig: Rig) -> None:
    deploy(rig.watch(), step(rig.nomad, spec(v="2")), promote=False)
    assert states(rig)["backend"] == "pending"
    assert states(rig, spec(v="2"))["backend"] == "pending"


def test_what_no_template_makes_is_foreign_if_it_runs(rig: Rig) -> None:
    rig.in_service(spec("miner"))
    rig.in_service(spec("retired"))
    rig.nomad.jobs.stop("retired")
    assert states(rig)["miner"] == "foreign"
    assert "retired" not in states(rig)
    assert "miner" not in states(rig, others=False)


@pytest.mark.parametrize(
    ("state", "plain", "counts"),
    [
        ("unchanged", False, False),
        ("scaled", False, True),
        *((state, True, True) for state in ("changed", "missing", "stopped", "pending", "foreign")),
    ],
)
def test_which_of_it_is_drift(state: drift.State, plain: bool, counts: bool) -> None:
    one = drift.JobDrift("backend", state, 1)
    assert one.counts_as_drift(counts=False) is plain
    assert one.counts_as_drift(counts=True) is counts


def test_the_difference_is_shown_and_secrets_are_not(rig: Rig) -> None:
    rig.in_service(spec(v="1", api_token="value-that-leaked"))
    lines = [line.text for line in drift.lines(look(rig), counts=False)]
    assert "backend (version 1): differs from what is rendered" in lines
    assert any("meta api_token" in line for line in lines)
    assert not any("value-that-leaked" in line for line in lines)
    assert lines[-1] == "Drift: backend."


def test_without_drift_that_is_said(rig: Rig) -> None:
    assert [line.text for line in drift.lines(look(rig), counts=False)][-1] == "No drift."


def test_the_document_says_each_jobs_state(rig: Rig) -> None:
    rig.nomad.jobs.scale("backend", "backend", 5)
    for _ in range(3):
        rig.nomad.tick()
    document = drift.document("dev", "1.0.0", look(rig), counts=False)
    assert document["drift"] is False
    backend = document["jobs"][1]
    assert (backend["state"], backend["drift"]) == ("scaled", False)
    assert (backend["changes"][0]["old"], backend["changes"][0]["new"]) == ("5", "2")
    assert drift.document("dev", "1.0.0", look(rig), counts=True)["drift"] is True
