"""What watches the platform, rendered by the real consul-template and read by the real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowrex.consul import ConsulClient
from tests.cluster import ROOT
from tests.contract import kept, own

FOLDER = ROOT / "consul-templates"
RULES = FOLDER / "alerts.yml"
CASES = Path(__file__).with_name("alerts.test.yml")
ALLOCATION = "0d1c2b3a-4f5e-6a7b-8c9d-0e1f2a3b4c5d"
WEBHOOK = "https://alerts.example/hook?to=people"

PROMETHEUS = {
    "FLOWREX_PROMETHEUS_ENVIRONMENT": "test",
    "FLOWREX_PROMETHEUS_INTERVAL": "15s",
    "FLOWREX_PROMETHEUS_LOCAL": "false",
    "FLOWREX_PROMETHEUS_CONSUL_PORT": "8501",
    "FLOWREX_PROMETHEUS_CONSUL_SCHEME": "https",
    "FLOWREX_PROMETHEUS_NOMAD_SCHEME": "https",
    "FLOWREX_PROMETHEUS_VAULT": "vault.example:8200",
    "FLOWREX_PROMETHEUS_VAULT_SCHEME": "https",
}
NOBODY = {
    "FLOWREX_ALERTMANAGER_SECRET": "",
    "FLOWREX_ALERTMANAGER_WEBHOOK": "false",
    "FLOWREX_ALERTMANAGER_EMAIL_TO": "",
    "FLOWREX_ALERTMANAGER_EMAIL_FROM": "",
    "FLOWREX_ALERTMANAGER_SMTP": "",
    "FLOWREX_ALERTMANAGER_SMTP_USERNAME": "",
}
EVERYBODY = {
    "FLOWREX_ALERTMANAGER_SECRET": "kv/data/flowrex/alertmanager",
    "FLOWREX_ALERTMANAGER_WEBHOOK": "true",
    "FLOWREX_ALERTMANAGER_EMAIL_TO": "ann@example.com, bob@example.com",
    "FLOWREX_ALERTMANAGER_EMAIL_FROM": "alerts@example.com",
    "FLOWREX_ALERTMANAGER_SMTP": "mail.example:587",
    "FLOWREX_ALERTMANAGER_SMTP_USERNAME": "alerts",
}


def render(name: str, target: Path, environ: dict[str, str], *flags: str) -> str:
    """Render as Nomad does."""
    done = subprocess.run(
        [own.program("consul-template"), "-once", *flags, f"-template={FOLDER / name}:{target}"],
        env={"PATH": os.environ["PATH"], "NOMAD_SECRETS_DIR": str(target.parent), **environ},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return target.read_text()


def check(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def register(consul: ConsulClient, name: str, port: int, *tags: str, id: str = "") -> None:
    check = {"TTL": "1h", "Status": "critical"}  # also what fails is looked at
    body = {"Name": name, "ID": id or name, "Port": port, "Address": "10.0.0.7"}
    consul.request("PUT", "/v1/agent/service/register", {**body, "Tags": tags, "Check": check})


@pytest.fixture(scope="module")
def services(real_consul: ConsulClient) -> Iterator[ConsulClient]:
    def id_of(name: str) -> str:
        return f"_nomad-task-{ALLOCATION}-group-{name}-{name}-http"

    there = [
        ("backend", 1, ("release-1.2.3-rc.1+build", "canary"), id_of("backend")),
        ("worker", 2, ('release-"odd"\none',), id_of("worker")),
        ("frontend", 7, ("release-1.2.3", "canary"), id_of("frontend")),
        ("node-exporter", 3, ("canary",), id_of("node-exporter")),
        ("flowrex-agent", 4, ("test",), "flowrex-agent-node"),
        ("nomad", 5, ("http",), "nomad-http"),
        ("nomad", 6, ("rpc",), "nomad-rpc"),
    ]
    for name, port, tags, id in there:
        register(real_consul, name, port, *tags, id=id)
    yield real_consul
    for _, _, _, id in there:
        real_consul.deregister_service(id)


def targets(consul: ConsulClient, folder: Path, **changed: str) -> dict[str, dict[str, Any]]:
    """Return each target's labels by its address."""
    address = f"-consul-addr={consul.address}"
    text = render(
        "prometheus-targets.yml.ctmpl", folder / "targets.yml", {**PROMETHEUS, **changed}, address
    )
    return {one["targets"][0]: one["labels"] for one in yaml.safe_load(text)}


def test_a_target_says_its_release_its_allocation_and_whether_it_is_a_canary(
    services: ConsulClient, tmp_path: Path
) -> None:
    found = targets(services, tmp_path)
    backend = found["10.0.0.7:1"]
    assert (backend["job"], backend["alloc"]) == ("backend", ALLOCATION)
    assert (backend["release"], backend["canary"]) == ("1.2.3-rc.1+build", "true")
    assert found["10.0.0.7:2"]["release"] == '"odd"\none'
    assert found["10.0.0.7:2"]["canary"] == "false"
    frontend = found["10.0.0.7:7"]
    assert (frontend["job"], frontend["canary"]) == ("frontend", "true"), "it is compared, too"
    assert not {"release", "canary"} & set(found["10.0.0.7:3"]), "is part of no release"


def test_what_can_not_be_reached_is_no_target(services: ConsulClient, tmp_path: Path) -> None:
    assert "10.0.0.7:6" not in targets(services, tmp_path), "Nomad's RPC has no metrics"
    assert "10.0.0.7:4" not in targets(services, tmp_path), "an agent on another machine's loopback"
    found = targets(services, tmp_path, FLOWREX_PROMETHEUS_LOCAL="true")
    assert found["10.0.0.7:4"]["job"] == "agent"


def test_consuls_metrics_are_at_its_api(services: ConsulClient, tmp_path: Path) -> None:
    (consul,) = [one for one in targets(services, tmp_path).items() if one[1]["job"] == "consul"]
    assert consul[0].endswith(":8501")
    assert consul[1]["__metrics_path__"] == "/v1/agent/metrics"


def test_prometheus_takes_its_configuration(services: ConsulClient, tmp_path: Path) -> None:
    targets(services, tmp_path)
    shutil.copy(RULES, tmp_path)
    for name in ("consul", "vault_token"):
        (tmp_path / name).write_text("token")
    token = {"FLOWREX_PROMETHEUS_CONSUL_TOKEN": str(tmp_path / "consul")}
    render("prometheus.yml.ctmpl", tmp_path / "prometheus.yml", PROMETHEUS | token)
    check("promtool", "check", "config", tmp_path / "prometheus.yml")


def test_the_rules_raise_what_they_should() -> None:
    check("promtool", "check", "rules", RULES)
    check("promtool", "test", "rules", CASES)


def test_every_alert_has_a_case_in_which_it_is_raised() -> None:
    alerts = [r["alert"] for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]]
    cases = [
        case
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    assert len(set(alerts)) == len(alerts)
    assert set(alerts) == {one["alertname"] for one in cases if one["exp_alerts"]}


def test_every_runbook_that_an_alert_names_is_there() -> None:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]


def test_without_receivers_alertmanager_takes_its_configuration_all_the_same(
    tmp_path: Path,
) -> None:
    target = tmp_path / "alertmanager.yml"
    document = yaml.safe_load(render("alertmanager.yml.ctmpl", target, NOBODY))
    assert document["receivers"] == [{"name": "nobody"}, {"name": "people"}]
    check("amtool", "check-config", target)


def test_receivers_are_told_with_secrets_of_vault(tmp_path: Path) -> None:
    target = tmp_path / "alertmanager.yml"
    password = 'odd: "one" \\ #'
    path = EVERYBODY["FLOWREX_ALERTMANAGER_SECRET"]
    with kept.secret(path, webhook_url=WEBHOOK, smtp_password=password) as address:
        environ = {**EVERYBODY, "VAULT_TOKEN": "t"}
        text = render("alertmanager.yml.ctmpl", target, environ, *kept.flags(address))
    document = yaml.safe_load(text)
    nobody, receiver = document["receivers"]
    assert nobody == {"name": "nobody"}, "what fires always goes there"
    assert [one["url"] for one in receiver["webhook_configs"]] == [WEBHOOK]
    assert [one["to"] for one in receiver["email_configs"]] == ["ann@example.com, bob@example.com"]
    assert document["global"]["smtp_auth_password"] == password
    check("amtool", "check-config", target)


def test_the_levels_are_repeated_as_soon_as_somebody_has_to_act(tmp_path: Path) -> None:
    document = yaml.safe_load(render("alertmanager.yml.ctmpl", tmp_path / "a.yml", NOBODY))
    route = document["route"]
    nobody, *levels = route["routes"]
    assert (nobody["matchers"], nobody["receiver"]) == (['level="none"'], "nobody")
    said = {one["matchers"][0]: one["repeat_interval"] for one in levels}
    # docs/incident-response.md: at once, 15 minutes, one hour; the rest the next day.
    assert said == {'level="P0"': "5m", 'level="P1"': "15m", 'level="P2"': "1h"}
    assert route["repeat_interval"] == "24h"
