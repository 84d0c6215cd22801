"""The cluster's bootstrap: the code that configures production, with this cluster's tokens."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.errors import ServerRefused
from flowrex.secret import Secret
from generator.dev import postgres, s3_agent, secrets
from generator.dev.layout import HOST, Layout

if TYPE_CHECKING:
    from generator.bootstrap import Target
    from generator.environment import Environment

REDIS_USER = "flowrex"


def target(layout: Layout, environment: Environment, project: Path, plugin: Path | None) -> Target:
    """Return what the first half of the bootstrap works on.

    Args:
        layout: the cluster; PostgreSQL, Consul and Vault must be ready.
        environment: its settings.
        project: the folder that has vault-policies/.
        plugin: Vault's PostgreSQL plugin, for a Vault that has none built in.
    """
    from flowrex.consul import ConsulClient
    from flowrex.vault import VaultClient
    from generator.bootstrap import Target

    password = secrets.password(layout.secret("postgres-superuser")).reveal()
    root = secrets.read(layout.token("vault-management"))
    return Target(
        environment=environment,
        project=project,
        consul=ConsulClient(
            layout.consul_address, secrets.token(layout.token("consul-management"))
        ),
        vault=VaultClient(layout.vault_address, root),
        postgres_admin=Secret(
            f"postgresql://{postgres.SUPERUSER}:{password}@{HOST}:{layout.postgres}/postgres"
        ),
        tokens_dir=layout.token("x").parent,
        postgres_plugin=plugin,
        vault_audit_file=layout.log("vault-audit"),
        redis_username=REDIS_USER,
        agent_s3=s3_agent.key(layout),
    )


def with_nomad(layout: Layout, first: Target) -> Target:
    """Return what the second half works on; Nomad must be ready."""
    from flowrex.nomad import NomadClient

    return replace(
        first,
        nomad=NomadClient(layout.nomad_address, secrets.token(layout.token("nomad-management"))),
        nomad_jwks_url=f"{layout.nomad_address}/.well-known/jwks.json",
    )


def redis_login(first: Target) -> tuple[str, Secret]:
    """Return the application's Redis user and password, which Vault keeps.

    Raises:
        ServerRefused: Vault does not have them.
    """
    return _login(first, "flowrex/backend", "redis_username", "redis_password")


def redis_monitor(first: Target) -> tuple[str, Secret] | None:
    """Return the Redis user and password of the job redis-exporter; None where it is off.

    Raises:
        ServerRefused: Vault does not have them.
    """
    if not first.environment.redis_exporter.enabled:
        return None
    return _login(first, "flowrex/redis-exporter", "username", "password")


def _login(first: Target, path: str, username: str, password: str) -> tuple[str, Secret]:
    mount = first.environment.vault.kv_mount
    kept = first.vault.kv_read(path, mount=mount) or {}
    if not {username, password} <= kept.keys():
        raise ServerRefused(
            f"Vault has no Redis login in {mount}/{path}",
            hint="`flowrexctl bootstrap dev` makes one.",
        )
    return kept[username].reveal(), kept[password]


def fingerprint(project: Path) -> str:
    """Return what changes when the bootstrap would do something else.

    Args:
        project: the folder that has vault-policies/.
    """
    digest = sha256()
    code = Path(__file__).parent.parent / "bootstrap"
    for path in sorted([*code.glob("*.py"), *(project / "vault-policies").glob("*.hcl")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def code_fingerprint(project: Path) -> str:
    """Return what changes when the node agent's code does.

    Args:
        project: the checkout.
    """
    digest = sha256()
    for folder in ("agents", "flowrex"):
        for path in sorted((project / folder).rglob("*")):
            if path.suffix in (".py", ".yaml"):
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
