"""Vault's database engine: short-lived PostgreSQL logins for the jobs.

Vault's own login gets a password that only Vault knows: made here, given to both sides, and rotated
by Vault at once. PostgreSQL then carries a comment that names the Vault which holds it, so that a
Vault or a database that was restored or made anew is seen, and the login given afresh.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowrex.errors import ConfigurationError
from generator.bootstrap import postgres
from generator.bootstrap.postgres_backup import BACKUP, RESTORE
from generator.bootstrap.postgres_monitor import MONITOR
from generator.bootstrap.postgres_plan import APP, OWNER, RETENTION, VAULT, WORKER
from generator.bootstrap.report import State, Step
from generator.bootstrap.step import ensure
from generator.bootstrap.vault_mounts import mount
from generator.bootstrap.vault_secrets import generated

if TYPE_CHECKING:
    from flowrex.secret import Secret
    from flowrex.vault import VaultClient
    from generator.environment import Environment

PLUGIN = "postgresql-database-plugin"
CONNECTION = "flowrex"
# Each role of Vault's with the role of PostgreSQL that its logins are in.
GROUPS = {
    "backend": APP,
    "migrate": OWNER,
    "worker": WORKER,
    "retention": RETENTION,
    "backup": BACKUP,
    "restore": RESTORE,
    "monitor": MONITOR,
}
ROLES = tuple(GROUPS)
# A dump or a restore may take so long; it renews its login as long as it lives.
_LONG_S = 24 * 3600

_REVOCATION = (
    # No new connection, an end to the open ones, then the role itself. The login inherits nothing,
    # so it has to take the role that may signal.
    'ALTER ROLE "{{name}}" NOLOGIN',
    "SET LOCAL ROLE pg_signal_backend",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'",
    "RESET ROLE",
    'DROP ROLE IF EXISTS "{{name}}"',
)


@dataclass(frozen=True)
class Server:
    """Where Vault finds PostgreSQL."""

    host: str
    port: int
    database: str
    sslmode: str

    @property
    def url(self) -> str:
        """Return the connection's address with Vault's placeholders for the login."""
        return (
            f"postgresql://{{{{username}}}}:{{{{password}}}}@{self.host}:{self.port}"
            f"/{self.database}?sslmode={self.sslmode}"
        )


def server_of(environment: Environment) -> Server:
    """Return where Vault finds the environment's PostgreSQL; only loopback goes without TLS."""
    return Server(
        environment.postgres.host,
        environment.postgres.port,
        environment.postgres.database,
        "disable" if environment.platform.local else "verify-full",
    )


def role(name: str, ttl_s: int, max_ttl_s: int) -> dict[str, Any]:
    """Return a database role as Vault wants it.

    Args:
        name: `backend` acts as the application, `migrate` as the schema's owner, `worker` as the
            emergency's worker, `retention` may delete what has expired; the agent reads as
            `backup`, and restores as `restore`; the job postgres-exporter is `monitor`.
        ttl_s: seconds of a lease before it must be renewed.
        max_ttl_s: seconds after which the login ends.
    """
    group = GROUPS[name]
    creation = [
        "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
        f" IN ROLE {group}"
    ]
    if name in ("migrate", "restore"):
        # What they make must belong to a role that stays, not to a login that is gone in an hour;
        # and a role's right to make databases is not inherited.
        creation.append(f'ALTER ROLE "{{{{name}}}}" SET role = {group}')
    if name in ("backup", "restore"):
        max_ttl_s = max(max_ttl_s, _LONG_S)
    return {
        "db_name": CONNECTION,
        "creation_statements": creation,
        "revocation_statements": list(_REVOCATION),
        "default_ttl": ttl_s,
        "max_ttl": max_ttl_s,
    }


def steps(
    client: VaultClient,
    environment: Environment,
    admin: Secret,
    plugin: Path | None,
    *,
    check_only: bool,
) -> Iterator[Step]:
    """Make Vault give PostgreSQL logins.

    Args:
        client: with the right to configure the engine.
        environment: where PostgreSQL is, and the lifetimes.
        admin: DSN of PostgreSQL's administrator.
        plugin: the plugin's binary in Vault's plugin folder, where Vault has none built in.
        check_only: change nothing.
    """
    engine = environment.vault.database_mount
    plug = _plugin(client, plugin, check_only=check_only)
    yield plug
    yield mount(client, engine, "database", check_only=check_only)
    if plug.state is State.MISSING and not check_only:
        return
    yield _connection(client, engine, server_of(environment), admin, check_only=check_only)
    ttl = seconds(environment.vault.database_ttl)
    max_ttl = seconds(environment.vault.database_max_ttl)
    for name in ROLES:
        path = f"{engine}/roles/{name}"
        body = role(name, ttl, max_ttl)
        found = client.read(path)
        yield ensure(
            f"vault database role {name}",
            lambda path=path, body=body: client.write(path, body),  # type: ignore[misc]
            present=found is not None,
            same=found is not None and _contains(found, body),
            check_only=check_only,
            detail="its statements or lifetimes are others",
        )


def _plugin(client: VaultClient, binary: Path | None, *, check_only: bool) -> Step:
    path = f"sys/plugins/catalog/database/{PLUGIN}"
    name = f"vault plugin {PLUGIN}"
    found = client.read(path)
    if found is not None and found.get("builtin"):
        return Step(name, State.PRESENT)
    if binary is None:
        present = found is not None
        return Step(
            name,
            State.PRESENT if present else State.MISSING,
            "" if present else "this Vault has none built in: put the plugin into its folder",
        )
    digest = hashlib.sha256(binary.read_bytes()).hexdigest()

    def register() -> None:
        client.write(path, {"sha256": digest, "command": binary.name})
        if found is not None:
            client.write("sys/plugins/reload/backend", {"plugin": PLUGIN})

    return ensure(
        name,
        register,
        present=found is not None,
        same=found is not None and (found["sha256"], found["command"]) == (digest, binary.name),
        check_only=check_only,
        detail=f"its SHA-256 should be {digest}",
    )


def _connection(
    client: VaultClient, engine: str, server: Server, admin: Secret, *, check_only: bool
) -> Step:
    path = f"{engine}/config/{CONNECTION}"
    mark = f"password held by Vault {client.health().cluster_id}"
    found = client.read(path)
    with postgres.Server(admin) as database:
        held = postgres.vault_login_belongs_to(database)

        def connect() -> None:
            password = generated()
            postgres.set_vault_password(database, password)
            client.write(path, _configuration(server, password))
            client.write(f"{engine}/rotate-root/{CONNECTION}")
            postgres.mark_vault_login(database, mark)

        return ensure(
            f"vault database connection {CONNECTION}",
            connect,
            present=found is not None,
            same=held == mark and found is not None and _connects_to(found, server),
            check_only=check_only,
            detail=f"Vault's login at {server.host}:{server.port} needs a new password",
        )


def _configuration(server: Server, password: Secret) -> dict[str, Any]:
    return {
        "plugin_name": PLUGIN,
        "allowed_roles": list(ROLES),
        "connection_url": server.url,
        "username": VAULT,
        "password": password.reveal(),
        # Vault sends a hash, so that no password is ever in PostgreSQL's log.
        "password_authentication": "scram-sha-256",
        "max_open_connections": 4,
    }


def _connects_to(found: Mapping[str, Any], server: Server) -> bool:
    details = found["connection_details"]
    return (
        found["plugin_name"] == PLUGIN
        and set(found["allowed_roles"]) == set(ROLES)
        and details.get("connection_url") == server.url
        and details.get("username") == VAULT
        and details.get("password_authentication") == "scram-sha-256"
    )


def _contains(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(found.get(key) == value for key, value in wanted.items())


_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def seconds(duration: str) -> int:
    """Return a duration such as `1h30m` in whole seconds.

    Raises:
        ConfigurationError: it is none, or shorter than a second.
    """
    parts = re.findall(r"(\d+)([dhms])", duration)
    total = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if total < 1 or "".join(number + unit for number, unit in parts) != duration:
        raise ConfigurationError(
            f"{duration!r} is no lifetime that Vault can use", hint="Write 30s, 15m or 1h30m."
        )
    return total
