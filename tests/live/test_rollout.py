"""A change of version: plan, canary, promotion from either side, and the way back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, eventually


def marked(number: int) -> list[str]:
    """Return the override that makes another version of the same code."""
    return ["--set", f"backend.env.ROLLOUT={number}"]


def job(cluster: Cluster, name: str = "backend") -> dict[str, object]:
    document = cluster.document("status", "dev")
    found: dict[str, object] = next(one for one in document["jobs"] if one["job"] == name)
    return found


def pending(cluster: Cluster) -> dict[str, object]:
    """Return the backend's deployment that waits for promotion."""
    deployments = cluster.nomad("job/backend/deployments")
    found: dict[str, object] = next(one for one in deployments if one["Status"] == "running")
    return found


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield


def test_what_runs_is_what_was_deployed(cluster: Cluster) -> None:
    assert cluster.run("plan", "dev", "--detailed-exitcode", expect=0)
    assert cluster.get("/api/v1/version")["release"] == "0.1.0"
    assert cluster.get("/health/ready")["status"] == "ready"


def test_a_new_version_of_the_code_is_planned_tried_and_promoted(cluster: Cluster) -> None:
    main = cluster.project / "app" / "__init__.py"
    main.write_text(main.read_text() + "\n# another version\n")
    cluster.run("build", "--version", "0.2.0", "--push", "dev")
    change = ["--set", "release.version=0.2.0"]
    plan = cluster.run("plan", "dev", *change, "--detailed-exitcode", expect=1)
    assert "release: '0.1.0' → '0.2.0'" in plan.stdout
    assert "canary" in plan.stdout
    run = cluster.run("run", "dev", "--yes", *change, expect=9)
    assert "flowrexctl promote dev" in run.stdout + run.stderr
    answers = {cluster.get("/api/v1/version")["release"] for _ in range(40)}
    assert answers == {"0.1.0", "0.2.0"}, "the canary runs beside the stable version"
    cluster.run("promote", "dev")
    assert {cluster.get("/api/v1/version")["release"] for _ in range(20)} == {"0.2.0"}
    cluster.run("rollback", "dev")
    assert {cluster.get("/api/v1/version")["release"] for _ in range(20)} == {"0.1.0"}


def test_a_canary_that_was_promoted_elsewhere_is_done(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", *marked(1), expect=9)
    cluster.nomad(
        f"deployment/promote/{pending(cluster)['ID']}",
        {"DeploymentID": pending(cluster)["ID"], "All": True},
    )
    eventually(lambda: not nomad_active(cluster), within=60, what="the deployment's end")
    status = cluster.run("status", "dev")
    assert "promote" not in status.stdout
    cluster.run("plan", "dev", *marked(1), "--detailed-exitcode", expect=0)


def nomad_active(cluster: Cluster) -> bool:
    deployments = cluster.nomad("job/backend/deployments")
    return any(one["Status"] in {"running", "pending"} for one in deployments)


def test_a_canary_can_be_given_up(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", *marked(2), expect=9)
    cluster.run("fail", "dev")
    cluster.run("plan", "dev", "--detailed-exitcode", expect=0)


def test_rollback_without_a_version_goes_to_the_last_healthy_one(cluster: Cluster) -> None:
    cluster.run("run", "dev", "--yes", "--promote", *marked(3))
    cluster.run("run", "dev", "--yes", *marked(4), expect=9)
    cluster.run("rollback", "dev")
    cluster.run("plan", "dev", *marked(3), "--detailed-exitcode", expect=0)


def test_rollback_to_a_version_that_never_was_is_an_error(cluster: Cluster) -> None:
    for target in ("9999", "no-such-tag"):
        done = cluster.run("rollback", "dev", "backend", "--to", target, expect=(2, 3, 6))
        assert target in done.stderr


def test_a_saved_plan_runs_as_it_was_approved(cluster: Cluster) -> None:
    path = cluster.project / "release.plan"
    cluster.run("plan", "dev", *marked(5), "--out", str(path))
    cluster.run("run", "dev", "--yes", "--promote", "--plan", str(path))
    cluster.run("plan", "dev", *marked(5), "--detailed-exitcode", expect=0)


def test_a_saved_plan_is_refused_when_something_changed_since(cluster: Cluster) -> None:
    path = cluster.project / "stale.plan"
    cluster.run("plan", "dev", *marked(6), "--out", str(path))
    cluster.run("run", "dev", "--yes", "--promote", *marked(7))
    done = cluster.run("run", "dev", "--yes", "--plan", str(path), expect=4)
    assert "backend" in done.stderr
    cluster.run("plan", "dev", *marked(7), "--detailed-exitcode", expect=0)


def test_running_again_what_runs_changes_nothing(cluster: Cluster) -> None:
    before = cluster.nomad("job/backend")
    cluster.run("run", "dev", "--yes")
    after = cluster.nomad("job/backend")
    assert before["Version"] == after["Version"]


def test_logs_are_the_tasks_own(cluster: Cluster) -> None:
    for _ in range(10):  # nginx spreads them over the instances
        cluster.get("/api/v1/version")
    done = cluster.run("logs", "dev", "backend", "--tail", "50")
    assert any("/api/v1/version" in line for line in done.stdout.splitlines())


def test_validate_asks_nomad(cluster: Cluster) -> None:
    assert cluster.document("validate", "dev")["nomad_left_out"] is None


def test_a_spec_that_nomad_does_not_accept_is_a_mistake_of_the_configuration(
    cluster: Cluster,
) -> None:
    # Nomad wants a deadline longer than a task may take to stop.
    wrong = ["--set", "backend.health.progress_deadline=10s"]
    done = cluster.run("plan", "dev", *wrong, expect=3)
    assert "Nomad does not accept job backend" in done.stderr
    assert "ProgressDeadline" in done.stderr


def test_a_whole_second_set_takes_over_at_once(cluster: Cluster) -> None:
    """Blue and green: as many canaries as there are instances."""
    green = [*marked(5), "--set", "backend.canary=2"]
    cluster.run("run", "dev", "--yes", *green, expect=9)
    versions = [one["JobVersion"] for one in cluster.allocations("backend")]
    assert sorted(versions.count(one) for one in set(versions)) == [2, 2], "both sets run"
    before = {one["ID"] for one in cluster.allocations("backend")}
    cluster.run("promote", "dev")
    eventually(lambda: len(cluster.allocations("backend")) == 2, what="the end of the first set")
    assert {one["ID"] for one in cluster.allocations("backend")} < before, "nothing new was begun"


def test_a_class_that_no_node_has_is_told_by_the_plan(cluster: Cluster) -> None:
    plan = cluster.run("plan", "dev", "worker", "--set", "platform.node_classes.worker=elsewhere")
    assert "${node.class} = elsewhere" in plan.stdout
    assert "2 of 2 nodes" in plan.stdout
