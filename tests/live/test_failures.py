"""What goes wrong on the deployer's side: a bad version, two deployers, one that dies."""

from __future__ import annotations

import signal
import time

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked

LOCK = "flowrex/locks/deploy/dev"


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> None:
    """Begin with nothing under way."""


def test_a_version_that_never_gets_healthy_is_taken_back_and_explained(cluster: Cluster) -> None:
    broken = ["--set", "backend.env.FLOWREX_REDIS_PORT=1"]
    quick = ["--set", "backend.health.healthy_deadline=20s"]
    quick += ["--set", "backend.health.progress_deadline=30s"]
    done = cluster.run("run", "dev", "--yes", *broken, *quick, expect=5)
    said = done.stdout + done.stderr
    assert "ready" in said, "the check that failed is named"
    assert "503" in said, "and what it answered is shown"
    assert "redis" in said
    nothing_to_do(cluster)
    assert cluster.get("/health/ready")["status"] == "ready"


def test_a_version_that_dies_at_its_start_is_explained(cluster: Cluster) -> None:
    broken = ["--set", "backend.env.FLOWREX_WORKERS=many"]
    quick = ["--set", "backend.health.healthy_deadline=20s"]
    quick += ["--set", "backend.health.progress_deadline=30s"]
    done = cluster.run("run", "dev", "--yes", *broken, *quick, expect=5)
    assert "FLOWREX_WORKERS" in done.stdout + done.stderr, "its last words are shown"
    nothing_to_do(cluster)


def test_of_two_deployers_one_is_told_who_holds_the_lock(cluster: Cluster) -> None:
    first = cluster.start("run", "dev", "--yes", *marked(200))
    try:
        eventually(lambda: locked(cluster), what="the lock")
        done = cluster.run("run", "dev", "--yes", *marked(201), expect=8)
        assert str(first.pid) in done.stderr
    finally:
        first.communicate(timeout=120)
    assert first.returncode == 9


def test_a_deployer_can_wait_for_the_lock(cluster: Cluster) -> None:
    first = cluster.start("run", "dev", "--yes", *marked(202))
    try:
        eventually(lambda: locked(cluster), what="the lock")
        second = cluster.run("fail", "dev", expect=(0, 2, 4, 5, 6, 8))
        waited = cluster.run("run", "dev", "--yes", "--lock-wait", "90s", expect=(0, 4, 9))
    finally:
        first.communicate(timeout=120)
    assert second.returncode == 8
    assert "Traceback" not in waited.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_lock_and_is_explained(
    cluster: Cluster, how: signal.Signals
) -> None:
    process = cluster.start("run", "dev", "--yes", *marked(300 + how))
    eventually(lambda: locked(cluster), what="the lock")
    time.sleep(1)
    process.send_signal(how)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert not locked(cluster)
    assert process.returncode not in (0, 1)
    assert "was interrupted" in cluster.run("status", "dev").stdout


def test_a_killed_run_leaves_no_lock_longer_than_its_ttl(cluster: Cluster) -> None:
    before = deployment(cluster)
    process = cluster.start("run", "dev", "--yes", *marked(400))
    # Later than the lock: what is left is a canary that nobody waits for.
    eventually(lambda: deployment(cluster) != before, within=60, what="the canary's deployment")
    process.kill()
    process.communicate()
    status = cluster.run("status", "dev").stdout
    assert str(process.pid) in status, "who held it is shown"
    # Consul ends a session within twice its TTL, which is 10 s in dev.
    eventually(lambda: not locked(cluster), within=25, what="the lock's end")
    status = cluster.run("status", "dev").stdout
    assert "What Nomad had begun went on" in status, "the unfinished run is explained"
    assert "flowrexctl promote dev" in status, "and the next command is shown"


def nothing_to_do(cluster: Cluster) -> None:
    """What was deployed before runs again, once Nomad has looked at its health once more."""
    eventually(
        lambda: cluster.run("plan", "dev", "--detailed-exitcode", expect=(0, 1)).returncode == 0,
        within=30,
        every=1,
        what="the stable version's return",
    )


def deployment(cluster: Cluster) -> str | None:
    """Return the id of the backend's newest deployment."""
    newest = cluster.nomad("job/backend/deployment")
    return newest["ID"] if newest else None


def locked(cluster: Cluster) -> bool:
    from flowrex.consul import ConsulClient
    from flowrex.secret import Secret

    consul = ConsulClient(f"http://127.0.0.1:{cluster.base + 50}", Secret(cluster.token("consul")))
    entry = consul.kv_get(LOCK)
    return entry is not None and entry.session is not None
