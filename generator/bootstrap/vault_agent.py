"""The node agents' login to Vault, and the Consul token that they find there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowrex.errors import ServerRefused
from flowrex.secret import Secret
from generator.bootstrap import token_files
from generator.bootstrap.consul_rules import GRANTS
from generator.bootstrap.report import State, Step
from generator.bootstrap.step import ensure
from generator.bootstrap.vault_mounts import mount
from generator.bootstrap.vault_policies import PREFIX
from generator.bootstrap.vault_secrets import AGENT

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.vault import VaultClient
    from generator.environment.model import Vault

ROLE = "agent"
ROLE_ID_FILE = "vault-agent-role-id"
SECRET_ID_FILE = "vault-agent-secret-id"  # noqa: S105 - a file's name
_CONSUL_KEY = "consul_token"

# An agent renews its token long before; a node that is cut off for longer logs in again.
_PERIOD_S = 60 * 60


def role() -> dict[str, Any]:
    """Return the role: the agent's own policy, for whoever has a node's secret id."""
    return {
        "bind_secret_id": True,
        "token_policies": [PREFIX + ROLE],
        "token_no_default_policy": True,
        "token_period": _PERIOD_S,
        "token_type": "service",
    }


def steps(
    vault: VaultClient,
    consul: ConsulClient,
    mounts: Vault,
    folder: Path | None,
    *,
    check_only: bool,
) -> Iterator[Step]:
    """Make the login and its role be there, and the agents' Consul token in Vault be Consul's.

    Args:
        vault: with the right to configure the login and to write the secret.
        consul: with a management token.
        mounts: where the engines are.
        folder: where a secret id for this machine's agent is kept; None makes none: each node gets
            one of its own, as docs/agent.md tells.
        check_only: change nothing.
    """
    path = f"auth/{mounts.approle_mount}/role/{ROLE}"
    mounted = mount(vault, mounts.approle_mount, "approle", table="sys/auth", check_only=check_only)
    yield mounted
    there = None if mounted.state is State.MISSING else vault.read(path)
    yield ensure(
        f"vault approle {ROLE}",
        lambda: vault.write(path, role()),
        present=there is not None,
        same=there is not None and all(there.get(key) == value for key, value in role().items()),
        check_only=check_only,
        detail="its policy or its times are others",
    )
    yield _consul_token(vault, consul, mounts.kv_mount, check_only=check_only)
    if folder is not None:
        yield _login(vault, path, folder, check_only=check_only)


def _consul_token(
    vault: VaultClient, consul: ConsulClient, kv_mount: str, *, check_only: bool
) -> Step:
    from flowrex.consul.acl import ConsulAcl, secret_of

    grant = next(each for each in GRANTS if each.name == ROLE)
    token = ConsulAcl(consul).token(grant.accessor)
    kept = vault.kv_read(AGENT, mount=kv_mount) or {}

    def keep() -> None:
        assert token is not None  # made a step before this one
        version = vault.kv_version(AGENT, mount=kv_mount)
        values = {**kept, _CONSUL_KEY: secret_of(token)}
        vault.kv_write(AGENT, values, mount=kv_mount, cas=version)

    return ensure(
        f"vault secret {kv_mount}/{AGENT} {_CONSUL_KEY}",
        keep,
        present=_CONSUL_KEY in kept,
        same=token is not None and kept.get(_CONSUL_KEY) == secret_of(token),
        check_only=check_only,
        detail="it is not the token that Consul has for the agents",
    )


def _login(vault: VaultClient, path: str, folder: Path, *, check_only: bool) -> Step:
    kept = token_files.read(folder, SECRET_ID_FILE)

    def make() -> None:
        role_id = (vault.read(f"{path}/role-id") or {})["role_id"]
        secret_id = vault.write(f"{path}/secret-id")["secret_id"]
        token_files.keep(folder, ROLE_ID_FILE, Secret(role_id))
        token_files.keep(folder, SECRET_ID_FILE, Secret(secret_id))

    return ensure(
        f"vault secret id of the {ROLE}",
        make,
        present=kept is not None and token_files.read(folder, ROLE_ID_FILE) is not None,
        same=kept is not None and _accepted(vault, path, kept),
        check_only=check_only,
        detail="Vault does not know the kept one",
    )


def _accepted(vault: VaultClient, path: str, secret_id: Secret) -> bool:
    try:
        found = vault.write(f"{path}/secret-id/lookup", {"secret_id": secret_id.reveal()})
    except ServerRefused:
        return False
    return bool(found)
