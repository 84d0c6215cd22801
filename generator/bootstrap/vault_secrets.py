"""Static secrets in Vault's KV engine: generated where they are absent, never overwritten."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowrex.errors import ServerRefused
from flowrex.secret import Secret
from generator.bootstrap.report import State, Step
from generator.bootstrap.step import ensure
from generator.bootstrap.vault_mounts import mount

if TYPE_CHECKING:
    from flowrex.vault import VaultClient

BACKEND = "flowrex/backend"
AGENT = "flowrex/agent"
NGINX = "flowrex/nginx"
PHYSICAL = "flowrex/physical"
REDIS_EXPORTER = "flowrex/redis-exporter"
ALERTMANAGER = "flowrex/alertmanager"
# Its user in Redis.
REDIS_MONITOR = "flowrex-monitor"
_READY_WITHIN_S = 10


@dataclass(frozen=True)
class Wanted:
    """One key of one secret.

    Attributes:
        secret: its path below the mount.
        key: its name.
        make: gives its first value; None where only a person can.
    """

    secret: str
    key: str
    make: Callable[[], Secret] | None


def generated() -> Secret:
    """Return a new secret of 256 bits, safe in a URL and in a configuration file."""
    return Secret(secrets.token_urlsafe(32))


def wanted(
    *,
    local: bool,
    redis_username: str,
    agent_s3: tuple[Secret, Secret] | None = None,
    redis_exporter: bool = False,
    alertmanager: Collection[str] = (),
    tls: bool = False,
) -> tuple[Wanted, ...]:
    """Return every key that the jobs and the nodes' agents read.

    Args:
        local: the servers are this machine's own, so that Redis gets the password made here.
        redis_username: the user that the application has in Redis.
        agent_s3: the agents' key to the object store and its secret half, where they are known.
        redis_exporter: whether the job of that name runs.
        alertmanager: the keys that the job alertmanager reads.
        tls: whether the entry speaks TLS.
    """
    access, secret = agent_s3 or (None, None)
    return (
        Wanted(BACKEND, "jwt_secret_key", generated),
        Wanted(BACKEND, "redis_username", lambda: Secret(redis_username)),
        # Elsewhere Redis has its password already, and only its keeper knows it.
        Wanted(BACKEND, "redis_password", generated if local else None),
        Wanted(AGENT, "s3_access_key", None if access is None else lambda: access),
        Wanted(AGENT, "s3_secret_key", None if secret is None else lambda: secret),
        # What the physical backups are encrypted with. Another one would make them noise.
        Wanted(PHYSICAL, "passphrase", generated),
        *(
            (
                Wanted(REDIS_EXPORTER, "username", lambda: Secret(REDIS_MONITOR)),
                Wanted(REDIS_EXPORTER, "password", generated if local else None),
            )
            if redis_exporter
            else ()
        ),
        *(Wanted(ALERTMANAGER, key, None) for key in alertmanager),
        # Whoever signs it, only a person may ask for it.
        *(Wanted(NGINX, key, None) for key in ("certificate", "key") if tls),
    )


def steps(
    client: VaultClient, kv_mount: str, wishes: tuple[Wanted, ...], *, check_only: bool
) -> Iterator[Step]:
    """Make every key be there; a value that is there is left alone, whatever it is.

    Args:
        client: with the right to read and write the mount.
        kv_mount: the engine's mount.
        wishes: the keys.
        check_only: change nothing.
    """
    mounted = mount(client, kv_mount, "kv", options={"version": "2"}, check_only=check_only)
    yield mounted
    if mounted.state is State.CREATED:
        _wait_until_ready(client, kv_mount)
    for path in dict.fromkeys(wish.secret for wish in wishes):
        there = client.kv_read(path, mount=kv_mount) or {}
        new: dict[str, Secret] = {}
        for wish in (each for each in wishes if each.secret == path):
            yield _step(wish, there, new, kv_mount, check_only=check_only)
        if new:
            version = client.kv_version(path, mount=kv_mount)
            client.kv_write(path, {**there, **new}, mount=kv_mount, cas=version)


def _step(
    wish: Wanted,
    there: Mapping[str, Secret],
    new: dict[str, Secret],
    kv_mount: str,
    *,
    check_only: bool,
) -> Step:
    name = f"vault secret {kv_mount}/{wish.secret} {wish.key}"
    make = wish.make
    if make is None and wish.key not in there:
        return Step(
            name,
            State.MISSING,
            f"give it by `vault kv patch -mount={kv_mount} {wish.secret} {wish.key}=-`,"
            " which reads it from standard input",
        )
    return ensure(
        name,
        lambda: new.update({wish.key: make()} if make else {}),
        present=wish.key in there,
        check_only=check_only,
    )


def _wait_until_ready(client: VaultClient, kv_mount: str) -> None:
    """Wait for a new KV version 2 engine, which refuses for a moment after it was mounted."""
    end = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            client.read(f"{kv_mount}/config")
        except ServerRefused:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
