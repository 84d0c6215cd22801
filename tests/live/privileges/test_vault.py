from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from flowrex.errors import PermissionRefused, ServerRefused
from flowrex.secret import Secret
from flowrex.vault import VaultClient
from generator.bootstrap import Target, vault_auth, vault_database
from tests.cluster import Cluster
from tests.live.privileges.conftest import VAULT_LOGIN
from tests.live.privileges.identities import Signer

OF_A_TOKEN = {
    "auth/token/lookup-self": ["read"],
    "auth/token/renew-self": ["update"],
    "auth/token/revoke-self": ["update"],
}
KEEPING_A_LEASE = {"sys/leases/renew": ["update"]}

# Every path that a role may do anything with, and what. Nothing else may answer it.
GRANTED = {
    "backend": OF_A_TOKEN
    | KEEPING_A_LEASE
    | {"kv/data/flowrex/backend": ["read"], "database/creds/backend": ["read"]},
    "migrate": OF_A_TOKEN | KEEPING_A_LEASE | {"database/creds/migrate": ["read"]},
    "worker": OF_A_TOKEN | KEEPING_A_LEASE | {"database/creds/worker": ["read"]},
    "retention": OF_A_TOKEN | KEEPING_A_LEASE | {"database/creds/retention": ["read"]},
    "nginx": OF_A_TOKEN | {"kv/data/flowrex/nginx": ["read"]},
    "postgres-exporter": OF_A_TOKEN | KEEPING_A_LEASE | {"database/creds/monitor": ["read"]},
    "redis-exporter": OF_A_TOKEN | {"kv/data/flowrex/redis-exporter": ["read"]},
    "alertmanager": OF_A_TOKEN | {"kv/data/flowrex/alertmanager": ["read"]},
    "prometheus": OF_A_TOKEN | {"sys/metrics": ["read"]},
    "agent": OF_A_TOKEN
    | KEEPING_A_LEASE
    | {
        "sys/leases/revoke": ["update"],
        "kv/data/flowrex/agent": ["read"],
        "kv/data/flowrex/physical": ["read"],
        "sys/storage/raft/snapshot": ["read"],
        "database/creds/backup": ["read"],
        "database/creds/restore": ["read"],
        "transit/datakey/plaintext/flowrex-backup": ["update"],
        "transit/decrypt/flowrex-backup": ["update"],
    },
    "operator": OF_A_TOKEN
    | {
        "kv/metadata/flowrex/": ["list", "read"],
        "kv/metadata/flowrex/backend": ["list", "read"],
        "kv/metadata/flowrex/nginx": ["list", "read"],
        "kv/metadata/flowrex/agent": ["list", "read"],
        "kv/metadata/flowrex/physical": ["list", "read"],
        "kv/metadata/flowrex/redis-exporter": ["list", "read"],
        "kv/metadata/flowrex/alertmanager": ["list", "read"],
        "database/roles/backend": ["read"],
        "database/roles/migrate": ["read"],
    },
}

WITH_A_LOGIN = (*vault_auth.JOBS, *vault_auth.OPTIONAL)

# As a job it may do what it may as a unit, and nothing else.
GRANTED["job:agent"] = GRANTED["agent"]

WITH_SECRETS = ("backend", "nginx", "agent", "physical", "redis-exporter", "alertmanager")

OUR_PATHS = [
    *(f"kv/{kind}/flowrex/{who}" for kind in ("data", "metadata") for who in WITH_SECRETS),
    *(f"kv/{kind}/flowrex/{who}" for kind in ("delete", "destroy") for who in WITH_SECRETS),
    *(f"database/{kind}/{role}" for kind in ("creds", "roles") for role in vault_database.ROLES),
    *(
        f"transit/{what}/flowrex-backup"
        for what in ("keys", "encrypt", "decrypt", "rewrap", "export/encryption-key", "backup")
    ),
    *(
        "kv/metadata/",
        "kv/metadata/flowrex/",
        "kv/data/flowrex/other",
        "kv/data/other",
        "kv/config",
    ),
    *("database/config/flowrex", "database/rotate-root/flowrex", "database/reset/flowrex"),
    *(
        "pki/issue/internal",
        "pki/sign/internal",
        "pki/root/sign-intermediate",
        "pki/roles/internal",
    ),
    *("sys/policies/acl/flowrex-backend", "sys/seal", "sys/raw/core", "sys/audit", "sys/mounts/kv"),
    *("sys/storage/raft/snapshot", "sys/storage/raft/snapshot-force"),
    *("auth/token/create", "auth/token/create-orphan", "identity/entity", "cubbyhole/mine"),
    *(f"auth/jwt-nomad/role/{job}" for job in WITH_A_LOGIN),
    *("auth/approle/role/agent", "auth/approle/role/agent/secret-id"),
]

READS = [
    "kv/data/flowrex/backend",
    "kv/data/flowrex/nginx",
    "kv/data/flowrex/agent",
    "kv/data/flowrex/physical",
    "kv/data/flowrex/redis-exporter",
    "kv/data/flowrex/alertmanager",
    "kv/data/flowrex/other",
    "kv/metadata/flowrex/backend",
    "database/creds/backend",
    "database/creds/migrate",
    "database/creds/worker",
    "database/creds/retention",
    "database/creds/monitor",
    "database/roles/backend",
    "database/config/flowrex",
    "sys/metrics",
    "pki/roles/internal",
    "sys/mounts",
    "sys/auth",
    "sys/policies/acl/flowrex-backend",
    "sys/audit",
    "auth/jwt-nomad/role/backend",
    "auth/token/lookup-self",
    "cubbyhole/mine",
]


@pytest.fixture(scope="session")
def every_path(target: Target) -> list[str]:
    """Every path that this Vault has, by its own description, and those that Flowrex uses."""
    described = target.vault.read("sys/internal/specs/openapi")
    assert described is not None
    paths = {re.sub(r"\{[^}]+\}", "probe", path).lstrip("/") for path in described["paths"]}
    assert len(paths) > 300
    return sorted(
        paths | set(OUR_PATHS) | {path for granted in GRANTED.values() for path in granted}
    )


@pytest.mark.parametrize("role", GRANTED)
def test_a_role_reaches_what_it_needs_and_nothing_else(
    target: Target, vault_token: Callable[[str], Secret], every_path: list[str], role: str
) -> None:
    found: dict[str, list[str]] = {}
    for start in range(0, len(every_path), 100):
        body = {"token": vault_token(role).reveal(), "paths": every_path[start : start + 100]}
        answer = target.vault.write("sys/capabilities", body)
        found.update({path: answer[path] for path in body["paths"]})
    granted = {path: sorted(can) for path, can in found.items() if can != ["deny"]}
    assert granted == GRANTED[role]


@pytest.mark.parametrize("role", GRANTED)
@pytest.mark.parametrize("path", READS)
def test_a_read_is_answered_or_refused_as_granted(
    vault_as: Callable[[str], VaultClient], role: str, path: str
) -> None:
    vault = vault_as(role)
    if "read" in GRANTED[role].get(path, ()):
        vault.read(path)
    else:
        with pytest.raises(PermissionRefused):
            vault.read(path)


@pytest.mark.parametrize("role", GRANTED)
@pytest.mark.parametrize(
    "path", ["kv/metadata/", "sys/policies/acl", "database/roles", "pki/issuers"]
)
def test_nobody_lists_what_is_not_theirs(
    vault_as: Callable[[str], VaultClient], role: str, path: str
) -> None:
    # Who has the PKI's public issuers needs no token: Vault answers those to anybody.
    vault = vault_as(role)
    if path == "pki/issuers":
        assert len(vault.list(path)) == 1
    else:
        with pytest.raises(PermissionRefused):
            vault.list(path)


@pytest.mark.parametrize("role", GRANTED)
def test_nobody_writes_a_secret(vault_as: Callable[[str], VaultClient], role: str) -> None:
    for job in WITH_SECRETS:
        with pytest.raises(PermissionRefused):
            vault_as(role).kv_write(f"flowrex/{job}", {"jwt_secret_key": Secret("mine")}, cas=999)


@pytest.mark.parametrize("role", GRANTED)
def test_nobody_makes_a_token_or_a_certificate(
    vault_as: Callable[[str], VaultClient], role: str
) -> None:
    vault = vault_as(role)
    with pytest.raises(PermissionRefused):
        vault.write("auth/token/create", {"policies": ["root"]})
    with pytest.raises(PermissionRefused):
        vault.write("pki/issue/internal", {"common_name": "backend.service.consul"})


def test_the_backend_has_the_secrets_that_its_job_reads(
    vault_as: Callable[[str], VaultClient],
) -> None:
    found = vault_as("backend").kv_read("flowrex/backend")
    assert found is not None
    assert set(found) == {"jwt_secret_key", "redis_username", "redis_password"}
    assert len(found["jwt_secret_key"].reveal()) >= 32


@pytest.mark.parametrize("job", WITH_A_LOGIN)
@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"nomad_job_id": "other"}, id="another job"),
        pytest.param({"nomad_namespace": "other"}, id="another namespace"),
        pytest.param({"aud": "consul.io"}, id="another audience"),
        pytest.param({"exp": 1}, id="outdated"),
    ],
)
def test_an_identity_that_is_not_the_jobs_logs_nobody_in(
    target: Target, identities: Signer, job: str, claims: dict[str, str]
) -> None:
    identity = identities.identity(vault_auth.AUDIENCE, job, **claims)
    with pytest.raises(ServerRefused):
        VaultClient(target.vault.address).write(
            f"auth/{VAULT_LOGIN}/login", {"role": job, "jwt": identity.reveal()}
        )


def test_a_job_named_after_the_agents_has_no_role_while_they_run_as_units(target: Target) -> None:
    assert not target.environment.agent.enabled
    assert target.vault.read("auth/jwt-nomad/role/agent") is None


@pytest.mark.parametrize("job", [job for job in WITH_A_LOGIN if job != "agent"])
def test_no_other_job_logs_in_as_the_agent(target: Target, identities: Signer, job: str) -> None:
    identity = identities.identity(vault_auth.AUDIENCE, job)
    with pytest.raises(ServerRefused):
        VaultClient(target.vault.address).write(
            f"auth/{VAULT_LOGIN}/login", {"role": "agent", "jwt": identity.reveal()}
        )


def test_an_identity_without_a_role_logs_nobody_in(target: Target, identities: Signer) -> None:
    identity = identities.identity(vault_auth.AUDIENCE, "backend")
    with pytest.raises(ServerRefused):
        VaultClient(target.vault.address).write(
            f"auth/{VAULT_LOGIN}/login", {"jwt": identity.reveal()}
        )


def test_an_identity_that_nomad_did_not_sign_logs_nobody_in(
    target: Target, identities: Signer
) -> None:
    identity = identities.identity(vault_auth.AUDIENCE, "backend")
    with pytest.raises(ServerRefused):
        # The real login, which trusts Nomad's keys only.
        VaultClient(target.vault.address).write(
            "auth/jwt-nomad/login", {"role": "backend", "jwt": identity.reveal()}
        )


def test_the_agent_has_the_credentials_that_it_works_with(
    target: Target, cluster: Cluster, vault_as: Callable[[str], VaultClient]
) -> None:
    found = vault_as("agent").kv_read("flowrex/agent")
    assert found is not None
    assert set(found) == {"consul_token", "s3_access_key", "s3_secret_key"}
    assert found["consul_token"].reveal() == cluster.token("consul", "flowrex-agent")


def test_a_wrong_secret_id_logs_no_agent_in(target: Target, cluster: Cluster) -> None:
    role_id = cluster.token("vault", "agent-role-id")
    with pytest.raises(ServerRefused):
        VaultClient(target.vault.address).write(
            "auth/approle/login", {"role_id": role_id, "secret_id": role_id}
        )
