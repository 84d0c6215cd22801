from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from flowrex.consul.acl import ConsulAcl
from flowrex.errors import ServerUnreachable
from flowrex.nomad.acl import NomadAcl
from flowrex.vault import VaultClient
from generator import bootstrap
from generator.bootstrap import Target, consul_auth, consul_rules, nomad, vault_auth
from generator.bootstrap.postgres import Server
from generator.bootstrap.resolve import target_of
from generator.environment import load
from tests.cluster import ROOT, Cluster


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Target:
    environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
    return target_of(load(ROOT, "dev", environ=environ), ROOT, environ=environ)


def change_vault_policy(target: Target) -> None:
    body = {"policy": 'path "kv/*" { capabilities = ["read"] }'}
    target.vault.write("sys/policies/acl/flowrex-backend", body)


def change_vault_role(target: Target) -> None:
    role = vault_auth.role("nginx", target.environment.platform.namespace)
    body = {**role, "token_policies": ["flowrex-operator"]}
    target.vault.write("auth/jwt-nomad/role/nginx", body)


def forget_database_role(target: Target) -> None:
    target.vault.delete("database/roles/backend")


def point_vault_elsewhere(target: Target) -> None:
    with Server(target.postgres_admin) as admin:
        admin.execute("COMMENT ON ROLE flowrex_vault IS 'password held by Vault of another life'")


def widen_consul_policy(target: Target) -> None:
    ConsulAcl(target.consul).put_policy("flowrex-nginx", 'key_prefix "" { policy = "write" }', "")


def delete_consul_token(target: Target) -> None:
    accessor = next(g.accessor for g in consul_rules.GRANTS if g.name == "operator")
    target.consul.request("DELETE", f"/v1/acl/token/{accessor}")


def add_binding_rule(target: Target) -> None:
    rule = {"BindType": "role", "BindName": "flowrex-operator", "Selector": ""}
    ConsulAcl(target.consul).put_binding_rule(consul_auth.METHOD, rule, None)


def widen_nomad_policy(target: Target) -> None:
    assert target.nomad is not None
    NomadAcl(target.nomad).put_policy(nomad.POLICY, 'namespace "*" { policy = "write" }', "")


def delete_nomad_token(target: Target) -> None:
    assert target.nomad is not None
    found = NomadAcl(target.nomad).token_named(nomad.POLICY)
    assert found is not None
    target.nomad.transport.send("DELETE", f"acl/token/{found['AccessorID']}")


def open_database(target: Target) -> None:
    database = target.environment.postgres.database
    with Server(target.postgres_admin, database=database) as admin:
        admin.execute(
            "GRANT ALL ON SCHEMA migrations TO flowrex_app",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "GRANT pg_read_all_data TO flowrex_app",
            f"GRANT CONNECT ON DATABASE {database} TO PUBLIC",
        )


def let_the_group_log_in(target: Target) -> None:
    with Server(target.postgres_admin) as admin:
        admin.execute("ALTER ROLE flowrex_app LOGIN")


DRIFTS: list[Callable[[Target], None]] = [
    change_vault_policy,
    change_vault_role,
    forget_database_role,
    point_vault_elsewhere,
    widen_consul_policy,
    delete_consul_token,
    add_binding_rule,
    widen_nomad_policy,
    delete_nomad_token,
    open_database,
    let_the_group_log_in,
]


def test_a_cluster_that_is_up_lacks_nothing(cluster: Cluster) -> None:
    document = cluster.document("bootstrap", "dev", "--check")
    assert document["complete"]
    assert len(document["steps"]) > 50


def test_a_second_bootstrap_changes_nothing(cluster: Cluster) -> None:
    assert cluster.document("bootstrap", "dev")["changed"] == 0


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.__name__)
def test_a_drift_is_reported_left_alone_by_a_check_and_repaired(
    target: Target, drift: Callable[[Target], None]
) -> None:
    drift(target)
    try:
        first = bootstrap.run(target, check_only=True)
        assert first.lacking
        assert bootstrap.run(target, check_only=True) == first
    finally:
        repaired = bootstrap.run(target)
    assert {step.name for step in first.lacking} <= {step.name for step in repaired.changed}
    assert not bootstrap.run(target, check_only=True).lacking


def test_what_lacks_is_told_by_the_exit_status(cluster: Cluster, target: Target) -> None:
    change_vault_policy(target)
    told = cluster.run("bootstrap", "dev", "--check", expect=3)
    assert "vault policy flowrex-backend" in told.stdout
    told = cluster.run("bootstrap", "dev")
    assert "updated" in told.stdout


def test_secrets_that_are_there_stay_as_they_are(target: Target) -> None:
    before = target.vault.kv_read("flowrex/backend")
    version = target.vault.kv_version("flowrex/backend")
    bootstrap.run(target)
    assert target.vault.kv_read("flowrex/backend") == before
    assert target.vault.kv_version("flowrex/backend") == version


def test_a_database_login_works_after_vaults_own_was_given_anew(target: Target) -> None:
    point_vault_elsewhere(target)
    bootstrap.run(target)
    lease = target.vault.lease("database/creds/backend")
    target.vault.write("sys/leases/revoke", {"lease_id": lease.id, "sync": True})


@pytest.mark.parametrize("token", ["consul-operator", "nomad-operator", "vault-operator"])
def test_a_token_file_that_was_lost_is_made_again(
    cluster: Cluster, target: Target, token: str
) -> None:
    file = cluster.state / "tokens" / token
    before = file.read_text()
    file.unlink()
    assert not bootstrap.run(target, check_only=True).complete
    assert not file.exists()
    bootstrap.run(target)
    assert file.stat().st_mode & 0o777 == 0o600
    # Consul and Nomad give their tokens again, Vault never does.
    assert (file.read_text() == before) == (token != "vault-operator")


def test_no_secret_is_told(cluster: Cluster, target: Target) -> None:
    told = cluster.run("bootstrap", "dev", "--json").stdout
    secrets = [file.read_text().strip() for file in (cluster.state / "tokens").iterdir()]
    kept = target.vault.kv_read("flowrex/backend") or {}
    secrets += [value.reveal() for key, value in kept.items() if key != "redis_username"]
    assert secrets
    assert not [secret for secret in secrets if secret in told]


def test_a_vault_that_does_not_answer_is_told_as_such(target: Target) -> None:
    nowhere = replace(target, vault=VaultClient("http://127.0.0.1:1"))
    with pytest.raises(ServerUnreachable, match="Vault at"):
        bootstrap.run(nowhere, check_only=True)
