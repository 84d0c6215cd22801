"""The S3 gateway, plain and over TLS, its buckets, and what may be read without a key."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from flowrex.errors import ServerUnreachable
from generator.dev import api, s3_agent, secrets
from generator.dev.layout import HOST, Layout
from generator.dev.process import Command

if TYPE_CHECKING:
    from generator.environment import Environment

NAME = "s3"
SECURE = "s3-tls"

_RETENTION_DAYS = 30
_HEALTH = "/health"


def command(layout: Layout, binary: Path, region: str) -> Command:
    """Return how the gateway is started; its keys are in its environment.

    Args:
        layout: the cluster.
        binary: the gateway's program.
        region: the region that requests are signed for.
    """
    argv = _argv(layout, binary, region, layout.s3)
    return Command(NAME, argv, cwd=layout.data(NAME), environ=_keys(layout))


def secure_command(layout: Layout, binary: Path, region: str) -> Command:
    """Return how the gateway's second process is started: the same store, over TLS.

    The plain one stays: TLS on every port of it would need its authority in each job.
    """
    home = layout.data(SECURE)
    tls = ("--cert", str(home / "certificate.pem"), "--key", str(home / "key.pem"))
    argv = _argv(layout, binary, region, layout.s3_tls, tls)
    return Command(SECURE, argv, cwd=home, environ=_keys(layout))


def _argv(
    layout: Layout, binary: Path, region: str, port: int, more: tuple[str, ...] = ()
) -> tuple[str, ...]:
    home = layout.data(NAME)
    argv = [str(binary), "--port", f"{HOST}:{port}", "--region", region, *more]
    argv += ["--health", _HEALTH, "--quiet", "--iam-dir", str(home / "iam")]
    argv += ["posix", "--versioning-dir", str(home / "versions")]
    if not _extended_attributes(home):
        argv += ["--sidecar", str(home / "attributes")]
    return (*argv, str(home / "buckets"))


def _keys(layout: Layout) -> dict[str, str]:
    return {
        "ROOT_ACCESS_KEY": secrets.password(layout.secret("s3-access")).reveal(),
        "ROOT_SECRET_KEY": secrets.password(layout.secret("s3-secret")).reveal(),
    }


def prepare(layout: Layout) -> None:
    """Make the gateway's folders."""
    for name in ("iam", "versions", "buckets", "attributes"):
        (layout.data(NAME) / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    s3_agent.prepare(layout, "iam")


def prepare_secure(layout: Layout) -> None:
    """Make the folder of its certificate."""
    layout.data(SECURE).mkdir(parents=True, exist_ok=True, mode=0o700)


def configure(layout: Layout, environment: Environment) -> None:
    """Make the buckets, once: backups and the audit log can't be deleted for 30 days.

    Governance, not compliance: on a developer's machine whoever has the key may still clear up.
    """
    from flowrex.s3 import S3Client, public_read_policy

    store = environment.s3
    client = S3Client(
        layout.s3_address,
        store.region,
        secrets.password(layout.secret("s3-access")),
        secrets.password(layout.secret("s3-secret")),
        timeout_s=10,
    )
    for bucket in (store.backups_bucket, store.logs_bucket):
        client.ensure_bucket(bucket, object_lock=True)
        client.set_default_retention(bucket, _RETENTION_DAYS, "GOVERNANCE")
        client.put_bucket_policy(bucket, s3_agent.policy(layout, bucket))
    client.set_lifecycle(store.backups_bucket, expire_days=_RETENTION_DAYS)
    for bucket in (store.exports_bucket, store.artifacts_bucket):
        client.ensure_bucket(bucket)
    client.put_bucket_policy(store.artifacts_bucket, public_read_policy(store.artifacts_bucket))


def problem(layout: Layout) -> str | None:
    """Return why the gateway is not ready, or None where it is."""
    try:
        answer = api.call(f"{layout.s3_address}{_HEALTH}", timeout_s=3)
    except ServerUnreachable as error:
        return error.message
    return None if answer.ok else f"it answers HTTP {answer.status}"


def secure_problem(layout: Layout) -> str | None:
    """Return why the gateway over TLS is not ready, or None where it is."""
    # Whether the certificate is right is for who sends something; this asks whether it listens.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((HOST, layout.s3_tls), timeout=3) as plain,
            context.wrap_socket(plain, server_hostname=HOST),
        ):
            return None
    except OSError as error:
        return f"it does not answer: {error}"


def _extended_attributes(folder: Path) -> bool:
    """Tell whether the file system keeps attributes, which the gateway stores metadata in."""
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        try:
            os.setxattr(probe.name, "user.flowrex", b"1")
        except OSError:
            return False
    return True
