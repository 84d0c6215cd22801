"""Vault's login for Nomad's workload identities: a role for each job, bound to that job."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from generator.bootstrap.report import State, Step
from generator.bootstrap.step import ensure
from generator.bootstrap.vault_mounts import mount
from generator.bootstrap.vault_policies import PREFIX

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

AUDIENCE = "vault.io"
JOBS = ("backend", "migrate", "nginx", "worker")
# Have a role only where an environment runs them, since whoever may submit a job could name it so;
# the job agent has all rights of the nodes' agents.
OPTIONAL = (
    "agent", "alertmanager", "postgres-exporter", "prometheus", "redis-exporter", "retention",
)  # fmt: skip
# Nomad renews a token at half of this; a node that is cut off for longer loses it.
PERIOD_S = 30 * 60


def configuration(jwks_url: str) -> dict[str, Any]:
    """Return how tokens are verified.

    There is no default role: a job that names none gets nothing.
    """
    return {
        "jwks_url": jwks_url,
        "jwt_supported_algs": ["RS256"],
        "default_role": "",
    }


def role(job: str, namespace: str) -> dict[str, Any]:
    """Return the role of one job: its own policy, for tokens that Nomad signed for that job."""
    return {
        "role_type": "jwt",
        "bound_audiences": [AUDIENCE],
        "bound_claims": {"nomad_namespace": namespace, "nomad_job_id": job},
        "bound_claims_type": "string",
        "user_claim": "/nomad_job_id",
        "user_claim_json_pointer": True,
        "claim_mappings": {
            "nomad_namespace": "nomad_namespace",
            "nomad_job_id": "nomad_job_id",
            "nomad_task": "nomad_task",
        },
        "token_type": "service",
        "token_policies": [PREFIX + job],
        # Vault's `default` policy would add what no job needs; see vault-policies/.
        "token_no_default_policy": True,
        "token_period": PERIOD_S,
        "token_explicit_max_ttl": 0,
    }


def steps(
    client: VaultClient,
    path: str,
    jwks_url: str,
    namespace: str,
    *,
    optional: Collection[str] = (),
    check_only: bool,
) -> Iterator[Step]:
    """Make the login and its roles be there. Vault fetches Nomad's keys while it is configured.

    Args:
        client: with the right to configure the login.
        path: where it is mounted.
        jwks_url: Nomad's keys, as Vault reaches them.
        namespace: the jobs' Nomad namespace.
        optional: those of `OPTIONAL` that run here; the others' roles are taken away.
        check_only: change nothing.
    """
    yield mount(client, path, "jwt", table="sys/auth", check_only=check_only)
    yield _write(
        client,
        f"vault jwt login {path}",
        f"auth/{path}/config",
        configuration(jwks_url),
        detail=f"it should fetch Nomad's keys from {jwks_url}",
        check_only=check_only,
    )
    for job in (*JOBS, *(name for name in OPTIONAL if name in optional)):
        yield _write(
            client,
            f"vault jwt role {job}",
            f"auth/{path}/role/{job}",
            role(job, namespace),
            check_only=check_only,
        )
    for job in OPTIONAL:
        role_path = f"auth/{path}/role/{job}"
        if job not in optional and client.read(role_path) is not None:
            yield _take_away(client, role_path, job, check_only=check_only)


def _take_away(client: VaultClient, path: str, job: str, *, check_only: bool) -> Step:
    name = f"vault jwt role {job}"
    if check_only:
        return Step(name, State.DIFFERS, "it gives rights to a job that is switched off here")
    client.delete(path)
    return Step(name, State.UPDATED, "its job is switched off here: deleted")


def _write(
    client: VaultClient,
    name: str,
    path: str,
    body: Mapping[str, Any],
    *,
    check_only: bool,
    detail: str = "",
) -> Step:
    found = client.read(path)
    return ensure(
        name,
        lambda: client.write(path, body),
        present=found is not None,
        same=found is not None and all(found.get(key) == value for key, value in body.items()),
        check_only=check_only,
        detail=detail,
    )
