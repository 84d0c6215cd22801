"""Logging in to a real Vault by a certificate, as an agent's node may."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.credentials import login
from agents.credentials.connect import Connect
from agents.credentials.files import Files
from agents.settings.model import Vault
from flowrex.errors import PermissionRefused, ServerRefused, ServerUnreachable
from flowrex.secret import Secret
from flowrex.settings.declare import Duration
from flowrex.vault import VaultClient
from tests.cluster import eventually
from tests.contract import own

ROOT_TOKEN = "of-the-contract-tests"


@dataclass(frozen=True)
class Setup:
    """A Vault that takes certificates, and a folder of credentials that it knows."""

    settings: Vault
    folder: Path


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """A Vault with TLS of this test run's own, which trusts one certificate."""
    folder = tmp_path_factory.mktemp("vault-tls")
    credentials = folder / "credentials"
    credentials.mkdir()
    make_certificate(credentials, "node-1")
    (port,) = own.free_ports(1)
    command: list[str | Path] = [own.program("vault"), "server", "-dev-tls"]
    command += [f"-dev-tls-cert-dir={folder}", "-dev-no-store-token"]
    command += [f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"]
    ca_file = str(folder / "vault-ca.pem")
    settings = Vault(
        enabled=True,
        address=f"https://127.0.0.1:{port}",
        ca_file=ca_file,
        login="certificate",
        login_mount="cert",
        role="agent",
        kv_mount="kv",
        secret="flowrex/agent",
        check_interval=Duration("30s"),
    )
    with own.running(command, folder):
        root = VaultClient(settings.address, Secret(ROOT_TOKEN), ca_file=ca_file)
        eventually(lambda: ready(root), every=0.1, what="an unsealed Vault")
        root.write("sys/auth/cert", {"type": "cert"})
        trusted = (credentials / "vault-certificate.pem").read_text()
        body = {"certificate": trusted, "token_period": 600, "token_no_default_policy": True}
        root.write("auth/cert/certs/agent", {**body, "token_policies": ["agent"]})
        yield Setup(settings, credentials)


def ready(root: VaultClient) -> bool:
    try:
        return not root.health().sealed
    except (ServerUnreachable, OSError):  # its certificate is not written yet
        return False


def make_certificate(folder: Path, name: str) -> None:
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name}".split()
    command += ["-addext", "extendedKeyUsage=clientAuth"]
    command += ["-keyout", str(folder / "vault-key.pem")]
    command += ["-out", str(folder / "vault-certificate.pem")]
    subprocess.run(command, capture_output=True, check=True)


def log_in(setup: Setup, folder: Path) -> login.Token:
    found = Files(folder)
    client = Connect().vault(setup.settings, None, login.certificate(found))
    return login.log_in(client, setup.settings, found, 0.0)


def test_a_trusted_certificate_gives_a_renewable_token(setup: Setup) -> None:
    token = log_in(setup, setup.folder)
    assert (token.ttl_s, token.renewable) == (600, True)
    client = Connect().vault(setup.settings, token.secret, None)
    with pytest.raises(PermissionRefused):
        client.read("sys/mounts")


def test_another_certificate_is_refused(setup: Setup, tmp_path: Path) -> None:
    make_certificate(tmp_path, "stranger")
    with pytest.raises(ServerRefused):
        log_in(setup, tmp_path)


def test_a_server_that_is_not_trusted_is_not_asked(setup: Setup) -> None:
    with pytest.raises(ServerUnreachable):
        VaultClient(setup.settings.address).health()
