"""A release on three servers and three clients, and what may happen in the middle of it.

Each case ends in the release that was asked for, and no request through nginx has failed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, eventually, running
from tests.live.fleet.fleet import Fleet, prod_shaped
from tests.live.test_analysis import quick
from tests.live.test_failures import deployment
from tests.live.test_preflight import records
from tests.live.test_rollout import marked
from tests.load import load

BASE = int(os.environ.get("FLOWREX_TEST_FLEET_PORT_BASE", "18000"))


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running(BASE, nodes=3, servers=3, shape=prod_shaped) as cluster:
        yield Fleet(cluster)


@pytest.fixture(autouse=True)
def whole(fleet: Fleet) -> None:
    """Begin with every server there and nothing under way."""
    fleet.repair()
    fleet.cluster.run("run", "dev", "--yes", "--promote", "--lock-wait", "60s")


def release(mark: int) -> list[str]:
    """Return what makes a new version of the backend and of the worker."""
    return [*marked(mark), "--set", f"worker.env.FLOWREX_MARK={mark}"]


def as_in_prod() -> list[str]:
    """Return what dev leaves out, as far as it can be had here: prod's stops, backup, analysis."""
    stops = [f"preflight.stops.{stop}=enforced" for stop in ("health", "limits", "caps")]
    wanted = [*stops, "deploy.backup=true", "validation.checks.traffic=required"]
    return [
        *(word for one in wanted for word in ("--set", one)),
        *quick("backend"),
        *quick("frontend"),
        "--auto-promote",
    ]


def begun(cluster: Cluster, mark: int) -> subprocess.Popen[str]:
    """Begin a release, and return its process when its canary is on its way."""
    before = deployment(cluster)
    process = cluster.start("run", "dev", "--yes", "--promote", *release(mark))
    eventually(lambda: deployment(cluster) != before, within=90, what="the canary's deployment")
    return process


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, f"{out}\n{err}"
    return err


def released(fleet: Fleet, mark: int) -> None:
    """Insist that what was asked for is what runs, and that the record says so."""
    fleet.repair()
    cluster = fleet.cluster
    status = cluster.document("status", "dev")
    others = {
        job["job"]: [job, cluster.nomad(f"job/{job['job']}/deployments")]
        for job in status["jobs"]
        if job["state"] not in {"in service", "ran", "scheduled"}
    }
    assert not others, json.dumps(others, indent=1)
    assert status["last_run"]["outcome"] == "done"
    spec = cluster.nomad("job/backend")
    (task,) = spec["TaskGroups"][0]["Tasks"]
    assert str(mark) in task["Env"].values()
    eventually(
        lambda: (
            [one["JobVersion"] for one in cluster.allocations("backend")] == [spec["Version"]] * 5
        ),
        within=90,
        what="five instances of the new version, and no other",
    )


def through(fleet: Fleet) -> load:
    return load(f"{fleet.cluster.entry}/api/v1/instruments")


def test_the_servers_are_three_of_each(fleet: Fleet) -> None:
    assert len(fleet.voters("nomad")) == len(fleet.voters("consul")) == 3
    nodes = {one["NodeName"] for one in fleet.cluster.allocations("backend")}
    assert len(nodes) == 3, "spread has put instances on each node"


def test_a_whole_release(fleet: Fleet) -> None:
    with through(fleet) as seen:
        fleet.cluster.run("run", "dev", "--yes", "--promote", *release(701))
    released(fleet, 701)
    assert seen.failed == 0, seen.report


def test_a_whole_release_as_prod_makes_it(fleet: Fleet) -> None:
    """Hard stops, a backup, canaries that are compared under load and promoted by themselves."""
    cluster = fleet.cluster
    change = [*release(707), "--set", "frontend.env.FLOWREX_MARK=707", *as_in_prod()]
    with through(fleet) as seen, load(f"{cluster.entry}/", connections=4) as pages:
        done = cluster.run("run", "dev", "--yes", *change, timeout=900)
    for job in ("backend", "frontend"):
        assert f"{job}: promote: as good as the stable one" in done.stderr
    record = records(cluster)[-1]
    assert record["backup"].startswith("pre_deploy_")
    assert {"backend", "worker", "frontend"} <= record["jobs"].keys()
    released(fleet, 707)
    assert (seen.failed, pages.failed) == (0, 0), f"{seen.report}\n{pages.report}"


def test_nomads_leader_is_killed_in_the_middle(fleet: Fleet) -> None:
    leader = fleet.lead_elsewhere("nomad")
    with through(fleet) as seen:
        process = begun(fleet.cluster, 702)
        fleet.kill(f"nomad-{leader}")
        eventually(
            lambda: fleet.leader("nomad") not in {0, leader}, within=60, what="another leader"
        )
        # As systemd would. What ran beside it never stopped, and still has its ports.
        fleet.repair()
        ended(process)
    released(fleet, 702)
    assert seen.failed == 0, seen.report


def test_consuls_leader_is_killed_in_the_middle(fleet: Fleet) -> None:
    leader = fleet.lead_elsewhere("consul")
    with through(fleet) as seen:
        process = begun(fleet.cluster, 703)
        fleet.kill(f"consul-{leader}")
        eventually(
            lambda: fleet.leader("consul") not in {0, leader}, within=60, what="another leader"
        )
        fleet.repair()
        ended(process)
    released(fleet, 703)
    assert seen.failed == 0, seen.report


def test_a_client_is_killed_with_all_that_runs_on_it(fleet: Fleet) -> None:
    with through(fleet) as seen:
        process = begun(fleet.cluster, 704)
        fleet.kill_machine(3)
        ended(process)
    released(fleet, 704)
    assert seen.failed == 0, seen.report


def test_a_client_is_drained_in_the_middle(fleet: Fleet) -> None:
    with through(fleet) as seen:
        process = begun(fleet.cluster, 705)
        with fleet.drained(3):
            ended(process)
    released(fleet, 705)
    assert seen.failed == 0, seen.report


def test_the_deployer_is_killed_and_its_run_is_gone_on_with(fleet: Fleet) -> None:
    with through(fleet) as seen:
        process = begun(fleet.cluster, 706)
        process.kill()
        process.communicate()
        fleet.cluster.run("resume", "dev", "--yes")
    released(fleet, 706)
    assert seen.failed == 0, seen.report
