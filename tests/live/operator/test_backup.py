"""Backups and a restore through flowrexctl, on the running platform."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.node_requests import parse_answer
from flowrex.secret import Secret
from tests.cluster import Cluster, eventually


@pytest.fixture
def consul(settled: Cluster) -> Iterator[ConsulClient]:
    yield ConsulClient(f"http://127.0.0.1:{settled.base + 50}", Secret(settled.token("consul")))
    settled.run("dev", "up", timeout=600)


def taken(cluster: Cluster) -> str:
    """Take a backup and return its name."""
    name = cluster.document("backup", "now", "dev")["result"]["name"]
    assert isinstance(name, str)
    return name


def _listed(cluster: Cluster, name: str) -> Any:
    listed = cluster.document("backup", "list", "dev")["result"]["backups"]
    return next(one for one in listed if one["name"] == name)


def symbols(cluster: Cluster) -> set[str]:
    found = cluster.get("/api/v1/instruments")
    return {one["symbol"] for one in found["instruments"]}


def test_a_backup_is_taken_listed_and_read_again(settled: Cluster, consul: ConsulClient) -> None:
    name = taken(settled)
    assert _listed(settled, name)["good"] is True, "it is read again as soon as it is taken"
    assert settled.document("backup", "verify", "dev", name)["result"]["good"] is True
    shown = settled.document("backup", "show", "dev", name)["result"]
    assert shown["manifest"]["name"] == name


def test_a_backup_is_drilled_held_and_let_go(settled: Cluster, consul: ConsulClient) -> None:
    name = taken(settled)
    drilled = settled.document("backup", "drill", "dev", name)["result"]
    assert drilled["good"] is True
    settled.run("backup", "hold", "dev", name, "--why", "the auditors want it")
    assert _listed(settled, name)["held"] is True
    settled.run("backup", "release", "dev", name, "--why", "they have seen it")
    assert _listed(settled, name)["held"] is False


def test_a_restore_that_was_killed_is_gone_on_with_and_migrates(
    settled: Cluster, consul: ConsulClient
) -> None:
    before = symbols(settled)
    name = taken(settled)
    migrated = settled.nomad("job/migrate")["SubmitTime"]
    words = ("restore", "dev", "--to", name, "--database", "flowrex", "--migrate")
    first = settled.start(*words)
    eventually(lambda: settled.nomad("job/backend")["Stop"], every=0.05, what="the jobs' stop")
    first.kill()
    first.communicate()
    # A stranger to it is told, and changes nothing.
    refused = settled.run(*words, "--lock-wait", "60s", expect=7).stderr
    assert "flowrexctl restore dev --resume" in refused
    settled.run("restore", "dev", "--resume", "--lock-wait", "60s", timeout=600)
    assert symbols(settled) == before
    assert settled.nomad("job/migrate")["SubmitTime"] > migrated
    after = {one["job"]: one["state"] for one in settled.document("status", "dev")["jobs"]}
    assert after["backend"] == after["worker"] == "in service"
    settled.run("restore", "dev", "--resume", expect=2)


def test_a_restore_that_is_given_up_leaves_the_jobs_running(
    settled: Cluster, consul: ConsulClient
) -> None:
    name = taken(settled)
    first = settled.start("restore", "dev", "--to", name, "--database", "flowrex")
    eventually(lambda: settled.nomad("job/backend")["Stop"], every=0.05, what="the jobs' stop")
    first.kill()
    first.communicate()
    settled.run("restore", "dev", "--abandon", "--lock-wait", "60s", timeout=600)
    after = {one["job"]: one["state"] for one in settled.document("status", "dev")["jobs"]}
    assert after["backend"] == after["worker"] == "in service"


def test_a_restore_brings_back_what_was_and_the_jobs(
    settled: Cluster, consul: ConsulClient
) -> None:
    before = symbols(settled)
    name = taken(settled)
    old = {one["job"]: one for one in settled.document("status", "dev")["jobs"]}
    done = settled.run(
        "restore", "dev", "--to", name, "--database", "flowrex", "--json", timeout=600
    )
    assert name in done.stdout
    assert "backend: version" in done.stderr
    assert symbols(settled) == before
    recorded = settled.document("releases", "list", "dev")["releases"][0]
    assert (recorded["kind"], recorded["restored"]["backup"]) == ("restore", name)
    assert recorded["restored"]["revision"] == recorded["schema"]["revision"]
    after = {one["job"]: one for one in settled.document("status", "dev")["jobs"]}
    assert after["backend"]["state"] == "in service"
    assert after["backend"]["release"] == old["backend"]["release"]
    assert after["backend"]["version"] > old["backend"]["version"], "the same spec, a new number"


def test_a_restore_of_the_wrong_database_changes_nothing(
    settled: Cluster, consul: ConsulClient
) -> None:
    taken(settled)
    before = settled.nomad("job/backend")["Version"]
    settled.run("restore", "dev", "--database", "flowrx", expect=2)
    settled.run("restore", "dev", expect=2)
    assert settled.nomad("job/backend")["Version"] == before


def test_a_request_is_done_once_over_a_kill_of_the_agent(
    settled: Cluster, consul: ConsulClient
) -> None:
    before = settled.document("backup", "list", "dev")["result"]["count"]
    asking = settled.start("backup", "now", "dev", "--json")
    node, answer = _begun(consul)
    os.kill(settled.server("agent")["pid"], signal.SIGKILL)
    settled.run("dev", "up", timeout=600)
    out, err = asking.communicate(timeout=120)
    ended = parse_answer(answer, _value(consul, answer))
    assert ended.ended
    # Cut off, it is said so and not begun anew; else it had ended before the kill.
    assert (asking.returncode == 0) == (ended.state == "done"), out + err
    if ended.state != "done":
        assert ended.result["interrupted"] is True
    time.sleep(3)
    assert parse_answer(answer, _value(consul, answer)) == ended
    count = settled.document("backup", "list", "dev")["result"]["count"]
    # It may have been whole before the kill, and only not answered for yet: never a second one.
    assert count - before in ({1} if ended.state == "done" else {0, 1})
    assert node


def _begun(consul: ConsulClient) -> tuple[str, str]:
    """Wait until the newest request is being done; return its node and its answer's key."""

    def newest() -> Any:
        entries = consul.kv_list(keys.ANSWERS)
        running = [e for e in entries if not parse_answer(e.key, e.value).ended]
        return running[-1].key if running else None

    key: str = eventually(newest, within=30, every=0.02, what="the beginning of the backup")
    return key.split("/")[2], key


def _value(consul: ConsulClient, key: str) -> bytes:
    entry = consul.kv_get(key)
    assert entry is not None
    return entry.value
