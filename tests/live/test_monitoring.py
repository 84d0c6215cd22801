"""What watches the platform: every target answers, the labels tell a canary, alerts get through."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowrex.secret import Secret
from flowrex.vault import VaultClient
from generator.bootstrap import vault_database
from tests.cluster import ROOT, Cluster, eventually
from tests.contract.test_dashboards import expressions
from tests.live.test_rollout import marked

RULES = yaml.safe_load((ROOT / "consul-templates" / "alerts.yml").read_text())
WATCHING = ("node-exporter", "postgres-exporter", "redis-exporter", "nginx-exporter")
JOBS = {"backend": 2, "worker": 2, "frontend": 1, "node": 2, "postgres": 1, "redis": 1, "nginx": 1}
JOBS |= {"alertmanager": 1, "prometheus": 1, "agent": 1, "nomad": 2, "consul": 1, "vault": 1}


def ask(cluster: Cluster, path: str, **query: str) -> Any:
    """Ask Prometheus' API."""
    url = f"http://127.0.0.1:{cluster.base + 90}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def values(cluster: Cluster, query: str) -> list[tuple[dict[str, str], float]]:
    """Return each series that a query finds, with its value."""
    found = ask(cluster, "query", query=query)["result"]
    return [(one["metric"], float(one["value"][1])) for one in found]


def fresh(selector: str) -> str:
    """Return the query for what was seen at the last looks.

    Prometheus answers for what is gone for five minutes more, where it was itself moved meanwhile.
    """
    return f"last_over_time({selector}[20s])"


UP = fresh('up{job="backend"}')


def targets(cluster: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(cluster, "targets", state="active")["activeTargets"]
    return found


def counted(cluster: Cluster, health: str) -> dict[str, int]:
    jobs = [one["labels"]["job"] for one in targets(cluster) if one["health"] == health]
    return {job: jobs.count(job) for job in sorted(jobs)}


def test_everything_that_there_is_is_looked_at_and_answers(settled: Cluster) -> None:
    cluster = settled
    eventually(
        lambda: counted(cluster, "up") == dict(sorted(JOBS.items())),
        what="that all targets are up",
        instead=lambda: f"{counted(cluster, 'up')}, down: {counted(cluster, 'down')}",
    )


@pytest.mark.parametrize("metric", ["pg_up", "redis_up", "nginx_up", "vault_core_unsealed"])
def test_an_exporter_reaches_what_it_looks_at(cluster: Cluster, metric: str) -> None:
    eventually(lambda: [value for _, value in values(cluster, fresh(metric))] == [1.0], what=metric)


@pytest.mark.parametrize(
    "metric",
    [
        "pg_stat_activity_count",
        "pg_settings_max_connections",
        "pg_exporter_last_scrape_error == 0",
        "redis_memory_used_bytes",
        "redis_exporter_last_scrape_error == 0",
        "nginx_http_requests_total",
    ],
)
def test_an_exporter_sees_what_it_is_for(cluster: Cluster, metric: str) -> None:
    assert eventually(lambda: values(cluster, metric), what=metric)


def test_each_node_is_seen(cluster: Cluster) -> None:
    eventually(
        lambda: {one["node"] for one, _ in values(cluster, "node_load1")} == {"node-1", "node-2"},
        what="both nodes",
    )


def test_every_series_of_the_backend_says_which_release_and_whether_it_is_a_canary(
    settled: Cluster,
) -> None:
    cluster = settled
    found = eventually(lambda: values(cluster, fresh('{job="backend"}')), what="its series")
    assert found
    eventually(
        lambda: (
            {
                (one["release"], one["canary"])
                for one, _ in values(cluster, fresh('{job="backend"}'))
            }
            == {("0.1.0", "false")}
        ),
        what="the labels of what runs",
    )
    running = {str(one["ID"]) for one in cluster.allocations("backend")}
    eventually(
        lambda: {one["alloc"] for one, _ in values(cluster, f"{UP} == 1")} == running,
        what="all its instances",
    )


def test_every_panel_of_the_dashboard_draws_something(settled: Cluster) -> None:
    cluster = settled
    drawn = expressions(ROOT / "dashboards" / "overview.json")
    # There is no canary now, and on a new cluster no drill was made.
    may_be_empty = {"Canaries", "Age of the last restore drill A"}

    def empty() -> list[str]:
        cluster.get("/api/v1/version")
        return [name for name in drawn.keys() - may_be_empty if not values(cluster, drawn[name])]

    eventually(lambda: not empty(), within=60, what="all graphs", instead=lambda: str(empty()))


def test_a_canary_is_told_from_the_stable_version_until_it_is_promoted(settled: Cluster) -> None:
    cluster = settled

    def seen() -> set[tuple[str, str]]:
        return {(one["canary"], one["alloc"]) for one, _ in values(cluster, UP)}

    stable = {str(one["ID"]) for one in cluster.allocations("backend")}
    cluster.run("run", "dev", "backend", "--yes", *marked(90), expect=9)
    (canary,) = {str(one["ID"]) for one in cluster.allocations("backend")} - stable
    eventually(
        lambda: seen() == {("true", canary), *(("false", one) for one in stable)},
        what="the canary's label",
        instead=lambda: str(seen()),
    )
    cluster.run("promote", "dev")
    # A series that is gone is answered for a while, up to its next look.
    eventually(lambda: ("false", canary) in seen(), what="the promoted one's label")


def test_the_rules_are_loaded_and_right(cluster: Cluster) -> None:
    groups = ask(cluster, "rules")["groups"]
    loaded = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert set(loaded) == {rule["alert"] for group in RULES["groups"] for rule in group["rules"]}
    # One that was not evaluated yet says so, and is asked again.
    eventually(
        lambda: {rule["health"] for rule in loaded_rules(cluster)} == {"ok"},
        what="that all rules can be evaluated",
        instead=lambda: str([r for r in loaded_rules(cluster) if r["health"] != "ok"]),
    )
    assert all(
        rule["labels"]["level"] in {"P0", "P1", "P2", "P3", "none"} for rule in loaded.values()
    )


def loaded_rules(cluster: Cluster) -> list[dict[str, Any]]:
    return [rule for group in ask(cluster, "rules")["groups"] for rule in group["rules"]]


def test_an_alert_reaches_alertmanager(cluster: Cluster) -> None:
    (there,) = ask(cluster, "alertmanagers")["activeAlertmanagers"]
    assert there["url"] == f"http://127.0.0.1:{cluster.base + 93}/api/v2/alerts"
    status = f"http://127.0.0.1:{cluster.base + 93}/api/v2/status"
    with urllib.request.urlopen(status, timeout=10) as answer:
        assert "receiver: people" in json.load(answer)["config"]["original"]


@pytest.fixture
def short_logins(cluster: Cluster) -> Iterator[None]:
    """Logins of the exporter that end after a few seconds, in place of minutes or hours."""
    vault = VaultClient(
        f"http://127.0.0.1:{cluster.base + 82}", Secret(cluster.token("vault", "management"))
    )
    vault.write("database/roles/monitor", vault_database.role("monitor", 4, 12))
    try:
        yield
    finally:
        cluster.run("bootstrap", "dev")
        replace_exporter(cluster)


def replace_exporter(cluster: Cluster) -> str:
    """Stop the exporter's allocation, and return the one that Nomad starts in its place."""
    (old,) = cluster.allocations("postgres-exporter")
    cluster.nomad(f"allocation/{old['ID']}/stop", {})

    def started() -> str:
        return next(
            (
                str(one["ID"])
                for one in cluster.allocations("postgres-exporter")
                if one["ID"] != old["ID"] and one["ClientStatus"] == "running"
            ),
            "",
        )

    return eventually(started, what="another exporter")


def test_a_database_login_that_ends_is_replaced_and_the_exporter_goes_on(
    cluster: Cluster, short_logins: None
) -> None:
    allocation = replace_exporter(cluster)
    (folder,) = cluster.state.glob(f"alloc/*/{allocation}/postgres-exporter/secrets")

    def login() -> str:
        return (folder / "username").read_text()

    def served() -> set[str]:
        query = f'pg_stat_activity_count{{alloc="{allocation}"}} > 0'
        return {one["alloc"] for one, _ in values(cluster, query)}

    first = login()
    eventually(served, what="the first login's series")
    eventually(lambda: login() != first, within=60, every=0.05, what="another login")
    # It reads its login when it starts.
    eventually(lambda: starts(cluster, allocation) >= 2, what="another start")
    eventually(
        lambda: values(cluster, f'pg_up{{alloc="{allocation}"}} == 1') and served(),
        what="that it goes on",
    )
    assert allocation in {str(one["ID"]) for one in cluster.allocations("postgres-exporter")}


def starts(cluster: Cluster, allocation: str) -> int:
    """Return how often Nomad has started the exporter of an allocation."""
    events = cluster.nomad(f"allocation/{allocation}")["TaskStates"]["postgres-exporter"]["Events"]
    return sum(one["Type"] == "Started" for one in events)


def test_nobody_but_the_inside_reads_nginxs_numbers(cluster: Cluster) -> None:
    page = "/nginx/status"
    with urllib.request.urlopen(cluster.entry + page, timeout=10) as answer:
        assert b"Active connections" in answer.read()
    # By its address in the network this machine is not one of those that dev allows, its loopback.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        outside = probe.getsockname()[0]
    for forwarded in ({}, {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}):
        url = f"http://{outside}:{cluster.base + 80}{page}"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(url, headers=forwarded), timeout=10)


def test_what_watches_has_no_rights_on_the_machine(cluster: Cluster) -> None:
    for job in (*WATCHING, "alertmanager", "prometheus"):
        for allocation in cluster.allocations(job):
            pids = running(cluster, str(allocation["ID"]))
            assert pids, job
            for pid in pids:
                status = Path(f"/proc/{pid}/status").read_text()
                assert "\nUid:\t65534\t65534\t65534\t65534\n" in status, job


def running(cluster: Cluster, allocation: str) -> list[int]:
    """Return the processes that work in an allocation's task folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            folder = (path / "cwd").readlink()
        except OSError:
            continue
        if allocation in folder.parts and b"prometheus" in (path / "comm").read_bytes():
            found.append(int(path.name))
    return found
