"""`flowrexctl emergency` on the running platform: every process and the agent, by name."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.secret import Secret
from tests.cluster import Cluster, eventually

WITHIN = ("--within", "20s")


@pytest.fixture
def consul(settled: Cluster) -> Iterator[ConsulClient]:
    """The operator's Consul; the emergency is over after the test."""
    token = Secret(settled.token("consul"))
    address = f"http://127.0.0.1:{settled.base + 50}"
    yield ConsulClient(address, token)
    settled.run("dev", "up", timeout=600)
    off(settled, expect=(0, 4, 6))


def off(cluster: Cluster, expect: int | tuple[int, ...] = 0) -> Any:
    reason = ("--reason", "the test is over")
    return cluster.document("emergency", "off", "dev", *reason, "--yes", *WITHIN, expect=expect)


def on(cluster: Cluster, *more: str, expect: int = 0) -> Any:
    return cluster.document(
        "emergency", "on", "dev", "--reason", "a live test", *(more or WITHIN), expect=expect
    )


def kinds(document: Any) -> set[str]:
    return {one["kind"] for one in document["members"] if one["acknowledged"]}


def test_everybody_acknowledges_on_and_off(settled: Cluster, consul: ConsulClient) -> None:
    document = on(settled)
    assert kinds(document) == {"backend", "worker", "agent"}
    assert document["lacking"] == 0
    assert all(one["latency_ms"] is not None for one in document["members"])
    named = {one["name"].split("-")[0] for one in document["members"] if one["kind"] == "backend"}
    assert named == {one["ID"][:8] for one in settled.allocations("backend")}
    status = settled.document("emergency", "status", "dev")
    assert (status["level"], status["reason"]) == ("halt", "a live test")
    document = off(settled)
    assert (document["level"], document["lacking"]) == ("off", 0)


def test_a_bare_word_does_the_same(settled: Cluster, consul: ConsulClient) -> None:
    consul.kv_put(keys.EMERGENCY, "on")
    eventually(
        lambda: settled.run("emergency", "status", "dev", expect=(0, 6)).returncode == 0,
        within=30,
        what="everybody's acknowledgement",
    )
    assert settled.document("emergency", "status", "dev")["level"] == "halt"


def test_a_drill_names_everybody_and_stops_nothing(settled: Cluster, consul: ConsulClient) -> None:
    document = settled.document("emergency", "drill", "dev", *WITHIN)
    assert kinds(document) == {"backend", "worker", "agent"}
    assert settled.document("emergency", "status", "dev")["level"] == "off"


def test_a_real_drill_ends_by_itself(settled: Cluster, consul: ConsulClient) -> None:
    more = ("--really", "--for", "1s", "--yes")
    document = settled.document("emergency", "drill", "dev", *more, *WITHIN)
    assert document["halted"]["level"] == "halt"
    assert settled.document("emergency", "status", "dev")["level"] == "off"


def test_an_agent_that_is_dead_is_missed_by_name_and_hears_of_it_when_it_is_back(
    settled: Cluster, consul: ConsulClient
) -> None:
    os.kill(settled.server("agent")["pid"], signal.SIGKILL)
    document = on(settled, "--within", "3s", expect=6)
    missed = [(one["kind"], one["acknowledged"]) for one in document["members"]]
    assert ("agent", False) in missed
    assert {one["kind"] for one in document["members"] if not one["acknowledged"]} == {"agent"}
    settled.run("dev", "up", timeout=600)
    eventually(
        lambda: settled.run("emergency", "status", "dev", expect=(0, 6)).returncode == 0,
        within=60,
        what="the agent's acknowledgement",
    )


def test_each_change_is_kept_with_its_reason(settled: Cluster, consul: ConsulClient) -> None:
    on(settled)
    off(settled)
    entries = consul.kv_list(keys.changes("dev"))
    assert b"a live test" in entries[-2].value
    assert b"the test is over" in entries[-1].value
