"""The hard stops on the running platform: what they see, and that a run heeds them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster, eventually
from tests.live.test_rollout import marked


@pytest.fixture(autouse=True)
def nothing_pending(settled: Cluster) -> Iterator[None]:
    yield


def asked(*names: str) -> list[str]:
    """Return the overrides of settings that ask for hard stops."""
    return [word for name in names for word in ("--set", f"preflight.stops.{name}=overridable")]


def always(*names: str) -> list[str]:
    """Likewise, for those that can't be overridden."""
    return [word for name in names for word in ("--set", f"preflight.stops.{name}=enforced")]


def looked(cluster: Cluster, *words: str, expect: int = 0) -> dict[str, dict[str, Any]]:
    document = cluster.document("preflight", "dev", *words, expect=expect)
    assert document["exit_status"] == expect
    return {one["stop"]: one for one in document["stops"] if one["verdict"] != "off"}


def records(cluster: Cluster) -> list[dict[str, Any]]:
    from flowrex.consul import ConsulClient
    from flowrex.secret import Secret

    consul = ConsulClient(f"http://127.0.0.1:{cluster.base + 50}", Secret(cluster.token("consul")))
    return [json.loads(one.value) for one in consul.kv_list("flowrex/releases/dev/")]


@contextmanager
def repository(cluster: Cluster) -> Iterator[str]:
    """Make the project a git repository for the length of a block; yield its commit."""
    git = ("git", "-C", str(cluster.project))
    who = ("-c", "user.name=tests", "-c", "user.email=tests@localhost")
    subprocess.run([*git, "init", "-q"], check=True)
    try:
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, *who, "commit", "-q", "-m", "All of it"], check=True)
        done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True)
        yield done.stdout.decode().strip()
    finally:
        shutil.rmtree(cluster.project / ".git")


def test_a_healthy_platform_passes_what_can_be_seen_of_it(cluster: Cluster) -> None:
    cluster.run("backup", "drill", "dev")
    wanted = [*asked("health", "backups", "monitoring"), *always("limits", "caps")]
    found = looked(cluster, *wanted)
    assert {name: one["verdict"] for name, one in found.items()} == dict.fromkeys(
        ("health", "backups", "monitoring", "limits", "caps"), "passed"
    )
    assert any("order_cap" in line for line in found["caps"]["evidence"])


def test_a_dependency_that_hangs_is_seen(cluster: Cluster) -> None:
    pid = int(cluster.server("redis")["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        found = eventually(
            lambda: (one := looked_at_health(cluster)) and one["verdict"] == "failed" and one,
            within=60, every=1, what="a failing check",
        )  # fmt: skip
    finally:
        os.kill(pid, signal.SIGCONT)
    assert any("ready of" in line and "redis" in line for line in found["evidence"])
    eventually(
        lambda: looked_at_health(cluster)["verdict"] == "passed",
        within=60, every=1, what="its return",
    )  # fmt: skip


def looked_at_health(cluster: Cluster) -> dict[str, Any]:
    document = cluster.document("preflight", "dev", *asked("health"), expect=(0, 7))
    return dict(next(one for one in document["stops"] if one["stop"] == "health"))


def test_a_run_that_a_stop_holds_changes_nothing(cluster: Cluster) -> None:
    before = cluster.nomad("job/backend")["Version"]
    done = cluster.run("run", "dev", "--yes", *marked(700), *asked("tests"), expect=7)
    assert "tests: The project is no git repository" in done.stderr
    assert cluster.nomad("job/backend")["Version"] == before
    assert records(cluster)[-1]["outcome"] == "refused"
    assert "refused by a hard stop" in cluster.run("status", "dev").stdout


def test_an_override_needs_a_reason_and_is_recorded(cluster: Cluster) -> None:
    words = [*marked(701), *asked("tests"), "--override", "tests"]
    cluster.run("run", "dev", "--yes", *words, expect=2)
    cluster.run("run", "dev", "--yes", *words, "--reason", "a live test", expect=9)
    last = records(cluster)[-1]
    assert last["reason"] == "a live test"
    assert list(last["overridden"]) == ["tests"]
    cluster.run("fail", "dev")


def test_caps_are_never_overridden(cluster: Cluster) -> None:
    words = [*marked(702), *always("caps"), "--override", "caps", "--reason", "a live test"]
    done = cluster.run("run", "dev", "--yes", *words, expect=7)
    assert "caps can't be overridden" in done.stderr


def test_evidence_of_a_commit_lets_it_through(cluster: Cluster, tmp_path: Path) -> None:
    report, audit = tmp_path / "tests.xml", tmp_path / "audit.json"
    report.write_text('<testsuite tests="3" failures="0" errors="0" skipped="0"/>')
    pins = [
        line.split(" ")[0].partition("==")
        for line in (cluster.project / "requirements/app.lock").read_text().splitlines()
        if line[:1].isalnum()
    ]
    listed = [{"name": name, "version": pin, "vulns": []} for name, _, pin in pins]
    audit.write_text(json.dumps({"dependencies": listed}))
    locked = json.loads((cluster.project / "frontend/package-lock.json").read_text())["packages"]
    seen = {"metadata": {"dependencies": {"total": len(locked) - 1}}}
    pages = tmp_path / "npm-audit.json"
    pages.write_text(json.dumps({"auditReportVersion": 2, "vulnerabilities": {}, **seen}))
    proofs = asked("tests", "vulnerabilities")
    with repository(cluster) as commit:
        assert looked(cluster, *proofs, expect=7)["tests"]["verdict"] == "failed"
        cluster.run("evidence", "tests", "dev", str(report))
        cluster.run("evidence", "vulnerabilities", "dev", str(audit))
        assert looked(cluster, *proofs, expect=7)["vulnerabilities"]["verdict"] == "failed"
        cluster.run("evidence", "vulnerabilities", "dev", str(pages))
        found = looked(cluster, *proofs)
        assert {one["verdict"] for one in found.values()} == {"passed"}
        assert commit[:12] in found["tests"]["text"]


def test_a_backup_is_taken_before_the_database_is_touched(cluster: Cluster) -> None:
    wanted = ("--set", "deploy.backup=true")
    done = cluster.run("run", "dev", "--yes", *marked(703), *wanted, expect=9)
    name = records(cluster)[-1]["backup"]
    assert name.startswith("pre_deploy_")
    assert f"{name} was taken and read again" in done.stderr
    shown = cluster.document("backup", "list", "dev")["result"]["backups"]
    assert next(one for one in shown if one["name"] == name)["good"] is True
    cluster.run("fail", "dev")


def test_why_no_backup_was_taken_is_recorded(cluster: Cluster) -> None:
    wanted = ("--set", "deploy.backup=true", "--skip-backup", "a live test")
    cluster.run("run", "dev", "--yes", *marked(704), *wanted, expect=9)
    last = records(cluster)[-1]
    assert (last["backup"], last["backup_skipped"]) == (None, "a live test")
    cluster.run("fail", "dev")
