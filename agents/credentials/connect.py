"""From settings and credentials to clients; each client library is imported when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.settings.model import Consul, ObjectStore, Vault
from flowrex.secret import Secret

if TYPE_CHECKING:
    from flowrex.consul import ConsulClient
    from flowrex.s3 import S3Client
    from flowrex.vault import VaultClient


def _vault(
    settings: Vault, token: Secret | None, certificate: tuple[str, str] | None
) -> VaultClient:
    from flowrex.vault import VaultClient

    return VaultClient(settings.address, token, ca_file=settings.ca_file, certificate=certificate)


def _consul(settings: Consul, token: Secret) -> ConsulClient:
    from flowrex.consul import ConsulClient

    return ConsulClient(settings.address, token, ca_file=settings.ca_file)


def _s3(settings: ObjectStore, access_key: Secret, secret_key: Secret) -> S3Client:
    from flowrex.s3 import S3Client

    ca_file = Path(settings.ca_file) if settings.ca_file else None
    return S3Client(settings.endpoint, settings.region, access_key, secret_key, ca_file=ca_file)


@dataclass(frozen=True)
class Connect:
    """How a client of each server is made; tests put their stand-ins here."""

    vault: Callable[[Vault, Secret | None, tuple[str, str] | None], Any] = _vault
    consul: Callable[[Consul, Secret], Any] = _consul
    s3: Callable[[ObjectStore, Secret, Secret], Any] = _s3
