"""The entry by TLS, with a certificate that it reads from the real Vault."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowrex.secret import Secret
from generator.bootstrap import vault_pki, vault_secrets
from generator.bootstrap.resolve import target_of
from generator.environment import load
from tests.cluster import ROOT, Cluster

NAME = "entry.flowrex.internal"
ON = ("--set", "nginx.tls.enabled=true")


@pytest.fixture(scope="module")
def authority(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Have Vault sign a certificate for the entry; return the file of who signed it."""
    environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
    target = target_of(load(ROOT, "dev", environ=environ), ROOT, environ=environ)
    mounts = target.environment.vault
    made = target.vault.write(
        f"{mounts.pki_mount}/issue/{vault_pki.ROLE}",
        {"common_name": NAME, "alt_names": "localhost", "ip_sans": "127.0.0.1", "ttl": "1h"},
    )
    assert made
    target.vault.kv_write(
        vault_secrets.NGINX,
        {"certificate": Secret(made["certificate"]), "key": Secret(made["private_key"])},
        mount=mounts.kv_mount,
        cas=target.vault.kv_version(vault_secrets.NGINX, mount=mounts.kv_mount),
    )
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    file.write_text(made["issuing_ca"])
    yield file
    cluster.run("run", "dev", "--yes")


@pytest.fixture(scope="module")
def port(cluster: Cluster, authority: Path) -> int:
    """Deploy the entry with TLS; return its port."""
    cluster.run("run", "dev", "--yes", "--promote", *ON)
    environ = {"FLOWREX_DEV_DIR": str(cluster.state)}
    return load(ROOT, "dev", environ=environ).nginx.tls.port


def test_the_api_answers_by_tls_to_who_trusts_the_platforms_authority(
    port: int, authority: Path
) -> None:
    context = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    connection.request("GET", "/health/ready")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (
        200,
        "max-age=31536000; includeSubDomains",
    )
    connection.close()


def test_who_does_not_trust_it_is_not_answered(port: int) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        http.client.HTTPSConnection("localhost", port, timeout=10).request("GET", "/")


def test_what_is_inside_goes_on_without(cluster: Cluster, port: int) -> None:
    assert cluster.get("/api/v1/version")["release"]


def test_the_key_is_in_no_job_that_nomad_shows(cluster: Cluster, port: int) -> None:
    spec = json.dumps(cluster.nomad("job/nginx"))
    assert "entry.pem" in spec
    assert "PRIVATE KEY" not in spec
    assert "BEGIN CERTIFICATE" not in spec
