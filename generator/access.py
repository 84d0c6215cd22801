"""Clients of an environment's servers, with the tokens that the caller may use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.secret import Secret
from generator.environment.model import Environment

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.nomad import NomadClient
    from flowrex.vault import VaultClient

# The variables that the servers' own command line tools read.
_VARIABLES = {"nomad": "NOMAD_TOKEN", "consul": "CONSUL_HTTP_TOKEN", "vault": "VAULT_TOKEN"}


def token(
    environment: Environment,
    server: str,
    *,
    role: str = "operator",
    environ: Mapping[str, str] = os.environ,
) -> Secret | None:
    """Return the token for a server, or None where there is none to be had.

    Args:
        environment: the environment; a local one has tokens of its own.
        server: `nomad`, `consul` or `vault`.
        role: `operator`, or `management` for a bootstrap; it picks a local cluster's token file.
        environ: the process's environment, whose variables come first.
    """
    if given := environ.get(_VARIABLES[server]):
        return Secret(given)
    if environment.platform.local:
        from generator.dev.layout import state_dir

        return _read(state_dir(environ) / "tokens" / f"{server}-{role}")
    return None


def _read(path: Path) -> Secret | None:
    try:
        return Secret(path.read_text(encoding="utf-8").strip())
    except OSError:
        return None  # the server will refuse the anonymous request, and say so


def nomad(environment: Environment, *, role: str = "operator") -> NomadClient:
    """Return a client of the environment's Nomad."""
    from flowrex.nomad import NomadClient

    return NomadClient(
        environment.servers.nomad,
        token(environment, "nomad", role=role),
        region=environment.platform.region,
        namespace=environment.platform.namespace,
    )


def consul(environment: Environment, *, role: str = "operator") -> ConsulClient:
    """Return a client of the environment's Consul."""
    from flowrex.consul import ConsulClient

    return ConsulClient(environment.servers.consul, token(environment, "consul", role=role))


def vault(environment: Environment, *, role: str = "operator") -> VaultClient:
    """Return a client of the environment's Vault."""
    from flowrex.vault import VaultClient

    return VaultClient(environment.servers.vault, token(environment, "vault", role=role))
