from __future__ import annotations

import re

from flowrex import keys
from generator.bootstrap.consul_auth import method, rules
from generator.bootstrap.consul_rules import GRANTS

BY_NAME = {grant.name: grant for grant in GRANTS}


def test_a_token_is_found_again_by_its_accessor() -> None:
    accessors = {grant.accessor for grant in GRANTS}
    assert len(accessors) == len(GRANTS)
    # Changing it would leave the old token alive and unseen.
    assert BY_NAME["operator"].accessor == "e451360f-48bf-508a-8215-fa52b73594af"


def test_no_two_tokens_have_the_same_file() -> None:
    files = [grant.file for grant in GRANTS if grant.token]
    assert len(set(files)) == len(files)


def test_only_what_has_no_identity_of_its_own_has_a_token() -> None:
    assert {g.name for g in GRANTS if g.token} == {"operator", "consul-agent", "nomad", "agent"}


def rights(job: str) -> dict[str, str]:
    found = re.findall(r'(\w+) "([^"]*)" { policy = "(\w+)" }', BY_NAME[job].rules)
    return {f"{kind} {name}": right for kind, name, right in found}


def test_nginx_reads_and_never_writes() -> None:
    assert set(rights("nginx").values()) == {"read"}


def test_what_watches_reads_and_never_writes_and_sees_no_key() -> None:
    assert rights("nginx-exporter") == {"service nginx": "read", "node_prefix ": "read"}
    assert rights("prometheus") == {
        "service_prefix ": "read",
        "node_prefix ": "read",
        "agent_prefix ": "read",
    }


def test_the_backend_sees_the_emergency_switch_and_writes_only_that_it_has() -> None:
    assert rights("backend") == {
        f"key {keys.EMERGENCY}": "read",
        f"key_prefix {keys.ACKNOWLEDGEMENTS}backend/": "write",
    }


def test_the_worker_takes_its_own_lock_and_no_other() -> None:
    assert rights("worker") == {
        f"key {keys.EMERGENCY}": "read",
        f"key_prefix {keys.ACKNOWLEDGEMENTS}worker/": "write",
        f"key {keys.flatten_lock()}": "write",
        "session_prefix ": "write",
    }


def test_nobody_may_change_acls() -> None:
    for grant in GRANTS:
        assert "acl" not in grant.rules
        assert "operator =" not in grant.rules


def test_identities_are_those_that_nomad_meant_for_consul() -> None:
    config = method("http://nomad/jwks")["Config"]
    assert config["BoundAudiences"] == ["consul.io"]
    assert config["JWKSURL"] == "http://nomad/jwks"


def test_a_service_may_register_itself_and_a_task_has_its_jobs_role() -> None:
    service, task = rules("trading")
    assert (service["BindType"], service["BindName"]) == ("service", "${value.nomad_service}")
    assert (task["BindType"], task["BindName"]) == ("role", "flowrex-${value.nomad_job_id}")


def test_a_job_named_after_an_agent_or_the_operator_has_no_role() -> None:
    _, task = rules("trading")
    named = set(re.findall(r'nomad_job_id == "([^"]+)"', task["Selector"]))
    assert named == {"backend", "nginx", "nginx-exporter", "prometheus", "worker"}
    assert not named & {grant.name for grant in GRANTS if grant.token}


def test_identities_of_other_namespaces_are_bound_to_nothing() -> None:
    for rule in rules("trading"):
        assert rule["Selector"].endswith('value.nomad_namespace == "trading"')
