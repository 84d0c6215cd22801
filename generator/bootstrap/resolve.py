"""From an environment to the target of its bootstrap: where the rights to configure come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.errors import ConfigurationError
from flowrex.secret import Secret
from generator.bootstrap.target import Target

if TYPE_CHECKING:
    from generator.environment import Environment

ADMIN_URL = "FLOWREX_DATABASE_ADMIN_URL"
_TOKENS = ("CONSUL_HTTP_TOKEN", "VAULT_TOKEN", "NOMAD_TOKEN")
_JWKS = "/.well-known/jwks.json"


def target_of(
    environment: Environment,
    project: Path,
    *,
    before_nomad: bool = False,
    jwks_url: str | None = None,
    tokens_dir: Path | None = None,
    vault_audit_file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Target:
    """Return the target, with management tokens and PostgreSQL's administrator.

    Args:
        environment: where the servers are; a local one's rights are in the cluster's own files.
        project: the folder that has vault-policies/.
        before_nomad: Nomad is not up yet, and needs no token.
        jwks_url: Nomad's keys as Vault and Consul reach them; at Nomad's address unless given.
        tokens_dir: where tokens are kept; nowhere unless given.
        vault_audit_file: what Vault's audit device writes; no device unless given.
        environ: NOMAD_TOKEN, CONSUL_HTTP_TOKEN, VAULT_TOKEN and FLOWREX_DATABASE_ADMIN_URL.

    Raises:
        ConfigurationError: a token or the DSN is missing, or no local cluster was started.
    """
    if environment.platform.local:
        return _local(environment, project, environ)
    from flowrex.consul import ConsulClient
    from flowrex.nomad import NomadClient
    from flowrex.vault import VaultClient

    needed = [ADMIN_URL, *(_TOKENS[:2] if before_nomad else _TOKENS)]
    if missing := [name for name in needed if not environ.get(name)]:
        raise ConfigurationError(
            f"{', '.join(missing)} must be set to configure {environment.name!r}",
            hint="Tokens with management rights, and the DSN of PostgreSQL's administrator.",
        )
    consul, vault, nomad = (Secret(environ.get(name, "")) for name in _TOKENS)
    servers = environment.servers
    return Target(
        environment=environment,
        project=project,
        consul=ConsulClient(servers.consul, consul),
        vault=VaultClient(servers.vault, vault),
        postgres_admin=Secret(environ[ADMIN_URL]),
        nomad=None
        if before_nomad
        else NomadClient(
            servers.nomad,
            nomad,
            region=environment.platform.region,
            namespace=environment.platform.namespace,
        ),
        nomad_jwks_url=jwks_url or servers.nomad.rstrip("/") + _JWKS,
        tokens_dir=tokens_dir,
        vault_audit_file=vault_audit_file,
    )


def _local(environment: Environment, project: Path, environ: Mapping[str, str]) -> Target:
    from generator.dev import configure, state
    from generator.dev.layout import state_dir

    folder = state_dir(environ)
    record = state.load(folder)
    if record is None:
        raise ConfigurationError(
            f"there is no local cluster in {folder}", hint="Start one: flowrexctl dev up"
        )
    layout = record.layout
    # The cluster registered Vault's plugin when it started, so that it need not be named again.
    target = configure.with_nomad(layout, configure.target(layout, environment, project, None))
    if given := environ.get(ADMIN_URL):
        target = replace(target, postgres_admin=Secret(given))
    return target
