"""Nomad, Consul or Vault away, before a verb or during it: exit 6 and a sentence."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_failures import locked
from tests.live.test_rollout import marked

CHANGING = {
    "run": ["run", "dev", "--yes", "--set", "backend.env.ROLLOUT=outage"],
    "promote": ["promote", "dev"],
    "fail": ["fail", "dev"],
    "rollback": ["rollback", "dev"],
}
READING = {
    "plan": ["plan", "dev"],
    "status": ["status", "dev"],
    "logs": ["logs", "dev", "backend"],
}
BOOTSTRAP = {"bootstrap": ["bootstrap", "dev", "--check"]}
NEEDS = {
    "nomad-1": CHANGING | READING | BOOTSTRAP,
    # Where nothing waits, `promote` and `fail` have nothing to lock.
    "consul-1": {verb: CHANGING[verb] for verb in ("run", "rollback")} | BOOTSTRAP,
    # Without it no new instance could log in, so that a run is not begun.
    "vault": {"run": CHANGING["run"]} | BOOTSTRAP,
}


@contextmanager
def gone(cluster: Cluster, server: str) -> Iterator[None]:
    """Kill a server for the time of the block."""
    os.kill(cluster.server(server)["pid"], signal.SIGKILL)
    eventually(lambda: cluster.server(server)["state"] == "dead", what=f"{server}'s end")
    try:
        yield
    finally:
        cluster.run("dev", "up", "--nodes", "2")


@pytest.mark.parametrize("server", NEEDS)
def test_every_verb_without_its_server_says_so(cluster: Cluster, server: str) -> None:
    with gone(cluster, server):
        for arguments in NEEDS[server].values():
            done = cluster.run(*arguments, expect=6, timeout=60)
            assert server.split("-")[0].capitalize() in done.stderr
            assert "does not answer" in done.stderr


def test_status_without_consul_still_shows_what_nomad_knows(cluster: Cluster) -> None:
    with gone(cluster, "consul-1"):
        done = cluster.run("status", "dev", expect=(0, 6))
    assert "Consul" in done.stdout + done.stderr


def test_the_cluster_works_again_after_its_servers_were_away(settled: Cluster) -> None:
    eventually(
        lambda: settled.get("/health/ready")["status"] == "ready", within=60, what="readiness"
    )


def test_nomad_that_goes_away_during_a_run_is_a_sentence(settled: Cluster) -> None:
    process = settled.start("run", "dev", "--yes", *marked(500))
    try:
        eventually(lambda: locked(settled), what="the lock")
        with gone(settled, "nomad-1"):
            _, err = process.communicate(timeout=200)
    finally:
        if process.poll() is None:
            process.kill()
    assert "Traceback" not in err
    # It may find Nomad again in time: then the run ends as if nothing had been.
    assert process.returncode in (6, 9), err
    if process.returncode == 6:
        assert "Nomad" in err


def test_consul_that_goes_away_during_a_run_is_a_sentence(settled: Cluster) -> None:
    process = settled.start("run", "dev", "--yes", *marked(501))
    try:
        eventually(lambda: locked(settled), what="the lock")
        with gone(settled, "consul-1"):
            _, err = process.communicate(timeout=200)
    finally:
        if process.poll() is None:
            process.kill()
    assert "Traceback" not in err
    assert process.returncode in (5, 6, 8, 9), err


def test_vault_that_goes_away_during_a_run_is_a_sentence(settled: Cluster) -> None:
    quick = ["--set", "backend.health.healthy_deadline=10s"]
    quick += ["--set", "backend.health.progress_deadline=20s"]
    process = settled.start("run", "dev", "--yes", *marked(502), *quick)
    try:
        eventually(lambda: locked(settled), what="the lock")
        with gone(settled, "vault"):
            _, err = process.communicate(timeout=200)
    finally:
        if process.poll() is None:
            process.kill()
    assert "Traceback" not in err
    # The new instance may have been faster, with all that it needs from Vault.
    assert process.returncode in (6, 9), err
    if process.returncode == 6:
        assert "Vault at" in err
        assert "does not answer" in err
