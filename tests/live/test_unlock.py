"""The deployment lock of a run that died, of one that lives, and of one that is made to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_failures import locked
from tests.live.test_rollout import marked

FORCED = ("unlock", "dev", "--force", "--reason", "it hangs", "--confirm", "dev")


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield


def test_where_nobody_holds_the_lock_there_is_nothing_to_free(cluster: Cluster) -> None:
    assert "Nobody holds the lock" in cluster.run("unlock", "dev").stdout


def test_a_run_that_was_killed_leaves_a_lock_that_can_be_freed_at_once(cluster: Cluster) -> None:
    killed = cluster.start("run", "dev", "--yes", *marked(501))
    eventually(lambda: locked(cluster), what="the lock")
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    done = cluster.document("unlock", "dev")
    assert (done["how"], done["holder"]["pid"]) == ("gone", killed.pid)
    assert not locked(cluster)


def test_a_run_that_lives_keeps_its_lock_unless_it_is_taken_by_force(cluster: Cluster) -> None:
    run = cluster.start("run", "dev", "--yes", *marked(502))
    try:
        eventually(lambda: locked(cluster), what="the lock")
        refused = cluster.run("unlock", "dev", expect=7)
        assert str(run.pid) in refused.stderr
        assert cluster.document(*FORCED)["how"] == "forced"
    finally:
        _, said = run.communicate(timeout=120)
    assert run.returncode == 8, said
    assert "the deployment lock was lost" in said
