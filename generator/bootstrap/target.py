"""What a bootstrap works on: the servers, with the rights to configure them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.secret import Secret

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.nomad import NomadClient
    from flowrex.vault import VaultClient
    from generator.environment import Environment


@dataclass(frozen=True)
class Target:
    """The servers of one environment.

    Attributes:
        environment: addresses, mounts, lifetimes.
        project: the folder that has vault-policies/.
        consul: a client with a management token.
        vault: a client with a token that may configure everything (root, or an admin's).
        postgres_admin: DSN of a PostgreSQL superuser, or of an owner with CREATEDB and CREATEROLE.
        nomad: a client with a management token; needed after Nomad is up only.
        nomad_jwks_url: where Consul and Vault fetch Nomad's keys; needed after Nomad is up only.
        tokens_dir: a folder (0700) where the tokens for agents and operator are kept, one file each
            (0600): consul-agent, consul-nomad, consul-operator, consul-flowrex-agent,
            vault-operator, nomad-operator, and the login of this machine's flowrex-agent.
            None (prod): tokens stay in the servers, where an administrator reads them.
        postgres_plugin: the PostgreSQL plugin's binary inside Vault's plugin_directory, for a Vault
            that has none built in.
        vault_audit_file: the file that Vault's audit device writes; None makes no audit device.
        redis_username: the user that the application has in Redis.
        agent_s3: the agents' key to the object store and its secret half; None where only the
            store's keeper has them.
    """

    environment: Environment
    project: Path
    consul: ConsulClient
    vault: VaultClient
    postgres_admin: Secret
    nomad: NomadClient | None = None
    nomad_jwks_url: str | None = None
    tokens_dir: Path | None = None
    postgres_plugin: Path | None = None
    vault_audit_file: Path | None = None
    redis_username: str = field(default="default")
    agent_s3: tuple[Secret, Secret] | None = None
