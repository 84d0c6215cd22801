"""The job that a schedule starts, on the cluster: deployed, started, looked at."""

from __future__ import annotations

from tests.cluster import Cluster, eventually


def state(cluster: Cluster) -> str:
    (job,) = cluster.document("status", "dev", "retention")["jobs"]
    return str(job["state"])


def force(cluster: Cluster) -> None:
    """Let it be started now, as `nomad job periodic force` does."""
    cluster.nomad("job/retention/periodic/force", {})


def test_it_is_on_schedule_and_was_not_started_by_the_deployment(cluster: Cluster) -> None:
    assert state(cluster) == "scheduled"
    assert cluster.nomad("job/retention")["Periodic"]["Specs"] == ["30 3 * * *"]
    plan = cluster.run("plan", "dev", "retention")
    assert "no change" in plan.stdout


def test_a_start_logs_in_by_its_own_identity_and_says_what_it_found(cluster: Cluster) -> None:
    force(cluster)
    done = eventually(
        lambda: [
            line
            for line in cluster.run(
                "logs", "dev", "retention", expect=(0, 2, 6)
            ).stdout.splitlines()
            if '"message": "deleted"' in line
        ],
        within=90,
        what="a run that came to its end",
    )
    assert '"orders": 0' in done[0]
    eventually(lambda: state(cluster) == "scheduled", within=30, what="its end in the status")
