"""Vault's PKI engine: a root for internal names, and a role that issues them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from generator.bootstrap.report import Step
from generator.bootstrap.step import ensure
from generator.bootstrap.vault_mounts import mount

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

ROLE = "internal"
ROOT_LIFETIME = "87600h"
DOMAINS = ("service.consul", "node.consul", "flowrex.internal")


def role() -> dict[str, Any]:
    """Return the role that issues certificates for names inside the platform, and no others."""
    return {
        "allowed_domains": list(DOMAINS),
        "allow_bare_domains": False,
        "allow_subdomains": True,
        "allow_glob_domains": False,
        "allow_any_name": False,
        "allow_localhost": True,
        "allow_ip_sans": True,
        "enforce_hostnames": True,
        "key_type": "ec",
        "key_bits": 256,
        "max_ttl": 30 * 86400,
        "ttl": 3 * 86400,
    }


def steps(client: VaultClient, pki: str, environment: str, *, check_only: bool) -> Iterator[Step]:
    """Make the engine, its root certificate and its role be there.

    Args:
        client: with the right to configure the engine.
        pki: the engine's mount.
        environment: the environment's name, which the root carries.
        check_only: change nothing.
    """
    lifetime = {"max_lease_ttl": ROOT_LIFETIME}
    yield mount(client, pki, "pki", config=lifetime, check_only=check_only)
    yield ensure(
        "vault pki root",
        # The key is made inside Vault and never leaves it.
        lambda: client.write(
            f"{pki}/root/generate/internal",
            {
                "common_name": f"Flowrex {environment} internal root",
                "issuer_name": "root",
                "ttl": ROOT_LIFETIME,
                "key_type": "ec",
                "key_bits": 384,
            },
        ),
        present=bool(client.list(f"{pki}/issuers")),
        check_only=check_only,
    )
    addresses = {
        "issuing_certificates": [f"{client.address}/v1/{pki}/ca"],
        "crl_distribution_points": [f"{client.address}/v1/{pki}/crl"],
    }
    found = client.read(f"{pki}/config/urls")
    yield ensure(
        "vault pki addresses",
        lambda: client.write(f"{pki}/config/urls", addresses),
        present=found is not None,
        same=found is not None and all(found.get(k) == v for k, v in addresses.items()),
        check_only=check_only,
    )
    found = client.read(f"{pki}/roles/{ROLE}")
    yield ensure(
        f"vault pki role {ROLE}",
        lambda: client.write(f"{pki}/roles/{ROLE}", role()),
        present=found is not None,
        same=found is not None and all(found.get(k) == v for k, v in role().items()),
        check_only=check_only,
    )
