"""A deployer that is killed, and one that goes on with its run; what is done around a change."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, eventually
from tests.contract.notify.receivers import Inbox, chat
from tests.live.test_failures import deployment
from tests.live.test_rollout import marked


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> None:
    """Begin with nothing under way."""


@pytest.fixture
def hooked(cluster: Cluster) -> Iterator[Cluster]:
    """The project with hooks that write down what they were told."""
    events = ("before-run", "after-run", "after-promote")
    paths = [cluster.project / "hooks" / event / "10-note" for event in events]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\necho $FLOWREX_EVENT $FLOWREX_OUTCOME >> hooks/seen\n")
            path.chmod(0o755)
        yield cluster
    finally:
        for path in paths:
            path.unlink()
        (cluster.project / "hooks" / "seen").unlink(missing_ok=True)


def test_a_killed_run_is_gone_on_with(cluster: Cluster) -> None:
    options = [*marked(500), "--set", "worker.env.FLOWREX_MARK=500"]
    before = deployment(cluster)
    process = cluster.start("run", "dev", "--yes", "--promote", *options)
    eventually(lambda: deployment(cluster) != before, within=60, what="the canary's deployment")
    process.kill()
    process.communicate()
    assert "flowrexctl resume dev" in cluster.run("status", "dev").stdout or any(
        job["waits_for_promotion"] for job in cluster.document("status", "dev")["jobs"]
    )
    done = cluster.document("resume", "dev", "--yes")
    results = {job["job"]: job["result"] for job in done["jobs"]}
    assert (results["backend"], results["worker"]) == ("deployed", "deployed")
    assert cluster.run("resume", "dev", "--yes", expect=2).stderr.startswith("error: there is")
    last, first = cluster.document("releases", "list", "dev")["releases"][:2]
    assert (last["outcome"], first["outcome"]) == ("done", "running")


def test_another_project_does_not_go_on_with_it(cluster: Cluster) -> None:
    before = deployment(cluster)
    process = cluster.start("run", "dev", "--yes", *marked(501))
    eventually(lambda: deployment(cluster) != before, within=60, what="the canary's deployment")
    process.kill()
    process.communicate()
    template = cluster.project / "jobs" / "backend.nomad.hcl.j2"
    whole = template.read_text()
    try:
        template.write_text(whole.replace("attempts = 3", "attempts = 4"))
        done = cluster.run("resume", "dev", "--yes", expect=4)
    finally:
        template.write_text(whole)
    assert "backend" in done.stderr


def test_hooks_see_a_run_and_its_promotion(hooked: Cluster) -> None:
    hooked.run("run", "dev", "--yes", *marked(502), expect=9)
    hooked.run("promote", "dev")
    assert (hooked.project / "hooks" / "seen").read_text().split("\n")[:-1] == [
        "before-run running",
        "after-run canary",
        "after-promote done",
    ]


def test_a_hook_that_refuses_leaves_everything_as_it_is(hooked: Cluster) -> None:
    before = deployment(hooked)
    freeze = hooked.project / "hooks" / "before-run" / "05-freeze"
    freeze.write_text("#!/bin/sh\necho frozen; exit 1\n")
    freeze.chmod(0o755)
    try:
        done = hooked.run("run", "dev", "--yes", *marked(503), expect=7)
    finally:
        freeze.unlink()
    assert "frozen" in done.stderr
    assert deployment(hooked) == before
    assert (hooked.project / "hooks" / "seen").read_text() == "after-run refused\n"


def test_a_chat_is_told_by_the_secret_that_only_vault_knows(cluster: Cluster) -> None:
    inbox = Inbox()
    with chat(inbox):
        _put_secret(cluster, {"webhook_url": f"http://127.0.0.1:{inbox.port}/hook"})
        on = ["--set", "notify.webhook.enabled=true"]
        cluster.run("run", "dev", "--yes", "--promote", *marked(504), *on)
    (message,) = inbox.messages
    assert "[dev] run of" in message["text"]
    assert "is done" in message["text"]


def test_a_chat_that_is_away_changes_nothing_of_the_run(cluster: Cluster) -> None:
    _put_secret(cluster, {"webhook_url": "http://127.0.0.1:1/hook"})
    on = ["--set", "notify.webhook.enabled=true", "--set", "notify.give_up=2s"]
    done = cluster.run("run", "dev", "--yes", "--promote", *marked(505), *on)
    assert "nobody was told by webhook" in done.stderr


def _put_secret(cluster: Cluster, data: dict[str, str]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{cluster.base + 82}/v1/kv/data/flowrex/deployer",
        data=json.dumps({"data": data}).encode(),
        headers={"X-Vault-Token": cluster.token("vault", "management")},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10):
        pass
