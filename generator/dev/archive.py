"""What PostgreSQL archives its WAL through: the S3 gateway over TLS, and pgBackRest's stanza."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowrex import pgbackrest
from flowrex.errors import ServerRefused
from flowrex.files import write_atomic
from flowrex.secret import Secret
from generator.bootstrap import vault_pki, vault_secrets
from generator.dev import postgres_install, postgres_settings, s3, s3_agent
from generator.dev.layout import HOST, MARKER, Layout
from generator.dev.process import plain_environ

if TYPE_CHECKING:
    from generator.bootstrap import Target
    from generator.environment import Environment

# The authority's limit is 30 days; `up` renews it long before.
_CERTIFICATE_TTL = "720h"
_RENEW_AFTER_S = 10 * 86400
_LIMIT_S = 90
# What an agent that was killed had begun may go on for a moment.
_LOCKED_S = 20
# PostgreSQL's stop waits for a push that is under way.
_IO_TIMEOUT_S = 8


def certificate(layout: Layout, target: Target) -> str:
    """Return the gateway's certificate, issued by Vault where there is none or it is old.

    Args:
        layout: the cluster.
        target: Vault, with its authority made.
    """
    home = layout.data(s3.SECURE)
    s3.prepare_secure(layout)
    shown, authority = home / "certificate.pem", _authority(layout)
    pki = target.environment.vault.pki_mount
    signed_by = (target.vault.read(f"{pki}/cert/ca") or {}).get("certificate", "").strip()
    if _fresh(shown) and authority.exists() and authority.read_text().strip() == signed_by:
        return shown.read_text()
    made = target.vault.write(
        f"{pki}/issue/{vault_pki.ROLE}",
        {"common_name": "localhost", "ip_sans": HOST, "ttl": _CERTIFICATE_TTL},
    )
    write_atomic(home / "key.pem", made["private_key"] + "\n", mode=0o600)
    write_atomic(authority, signed_by + "\n", mode=0o644)
    # Last: it tells that the others are there.
    write_atomic(shown, made["certificate"] + "\n", mode=0o600)
    return shown.read_text()


def configure(layout: Layout, target: Target) -> bool:
    """Write pgBackRest's configuration; return whether it is another than before.

    Args:
        layout: the cluster.
        target: Vault, which keeps the passphrase, and the environment's settings.

    Raises:
        ServerRefused: Vault has no passphrase.
    """
    environment = target.environment
    kept = target.vault.kv_read(vault_secrets.PHYSICAL, mount=environment.vault.kv_mount) or {}
    if "passphrase" not in kept:
        raise ServerRefused(
            f"Vault has no passphrase in {vault_secrets.PHYSICAL}",
            hint="`flowrexctl bootstrap dev` makes one.",
        )
    home = layout.data(postgres_settings.PRIMARY)
    access, secret = s3_agent.key(layout)
    text = pgbackrest.configuration(
        pgbackrest.Stanza(
            name=postgres_settings.STANZA,
            data=home / "pgdata",
            port=layout.postgres,
            user=pgbackrest.ROLE,
            lock_dir=_lock_dir(layout),
            socket=postgres_settings.socket_dir(layout),
            io_timeout_s=_IO_TIMEOUT_S,
        ),
        pgbackrest.Repository(
            endpoint=layout.s3_tls_address,
            region=environment.s3.region,
            bucket=environment.s3.backups_bucket,
            prefix=pgbackrest.DEFAULT_PREFIX,
            access_key=access,
            secret_key=secret,
            passphrase=kept["passphrase"],
            ca_file=_authority(layout),
        ),
    )
    lock = _lock_dir(layout)
    lock.mkdir(mode=0o770, exist_ok=True)
    _give(lock)
    path = postgres_settings.archive_config(layout)
    if path.exists() and Secret(path.read_text()) == text:
        return False
    write_atomic(path, text.reveal(), mode=0o600)
    _give(path)
    return True


def agent_settings(layout: Layout, environment: Environment) -> dict[str, Any]:
    """Return the agent's section `physical`: what `up` has made is right for it.

    Args:
        layout: the cluster.
        environment: its settings.
    """
    socket = postgres_settings.socket_dir(layout)
    if socket is None:
        return {"enabled": False}
    home = layout.data(postgres_settings.PRIMARY)
    return {
        "enabled": True,
        "stanza": postgres_settings.STANZA,
        "data_dir": str(home / "pgdata"),
        "socket_dir": str(socket),
        "port": layout.postgres,
        "database": environment.postgres.database,
        "config_file": str(postgres_settings.archive_config(layout)),
        "lock_dir": str(_lock_dir(layout)),
        "endpoint": layout.s3_tls_address,
        "ca_file": str(_authority(layout)),
        "watch_interval": "5s",
        "list_interval": "30s",
        "jitter": "0s",
        "io_timeout": f"{_IO_TIMEOUT_S}s",
    }


def create_stanza(layout: Layout, tell: Callable[[str], None]) -> None:
    """Make pgBackRest's stanza, or compare the one that is there with PostgreSQL.

    Raises:
        ServerRefused: pgBackRest can't, and says why.
    """
    begun = time.monotonic()
    # The agent locks here as well, as another user, and leaves its file where it was killed.
    for lock in _lock_dir(layout).glob("*.lock"):
        _give(lock)
    done = _create(layout)
    while done.returncode == pgbackrest.LOCKED and time.monotonic() - begun < _LOCKED_S:
        time.sleep(1)
        done = _create(layout)
    if done.returncode:
        raise ServerRefused(
            f"pgBackRest can't make its stanza: {done.stderr.strip()}",
            hint=f"`flowrexctl dev logs {postgres_settings.PRIMARY}` may tell more.",
        )
    tell(f"archiving to {pgbackrest.DEFAULT_PREFIX} ({time.monotonic() - begun:.1f} s)")


def _create(layout: Layout) -> subprocess.CompletedProcess[str]:
    owner = postgres_install.user()
    return subprocess.run(
        pgbackrest.stanza_create(
            postgres_settings.archive_config(layout), postgres_settings.STANZA
        ),
        cwd=layout.data(postgres_settings.PRIMARY),
        env=plain_environ((MARKER, str(layout.root)), {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
        user=owner,
        group=owner,
        extra_groups=[] if owner else None,
    )


def _lock_dir(layout: Layout) -> Path:
    return layout.data(postgres_settings.PRIMARY) / "pgbackrest-lock"


def _authority(layout: Layout) -> Path:
    """Return the file of the authority that signed the gateway's certificate."""
    return layout.data(postgres_settings.PRIMARY) / "s3-ca.pem"


def _fresh(path: Path) -> bool:
    return path.exists() and time.time() - path.stat().st_mtime < _RENEW_AFTER_S


def _give(path: Path) -> None:
    if owner := postgres_install.user():
        shutil.chown(path, owner, owner)
