"""What the application is told by its environment, read once at start and passed on."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.environ import Reader
from flowrex.errors import ConfigurationError
from flowrex.secret import Secret

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class DatabaseSettings:
    """Where PostgreSQL is and where its leased credentials appear.

    Attributes:
        host: its address.
        port: its port.
        name: the database.
        credentials: the file with `username` and `password`, rewritten when the lease rotates.
        pool_size: the most connections that one worker holds.
        ssl_mode: as libpq's sslmode.
    """

    host: str
    port: int
    name: str
    credentials: Path
    pool_size: int
    ssl_mode: str


@dataclass(frozen=True)
class ConsulSettings:
    """Where the emergency switch is, and what is kept of it.

    Attributes:
        address: Consul's API.
        token_file: the file in which Nomad keeps the task's token; None asks without one.
        instance: this allocation's id, in the names of acknowledgements.
        node: the node that it runs on, likewise.
        state_dir: the folder in which the last reading survives a restart.
        grace_s: seconds without a reading after which new risk is refused.
    """

    address: str
    token_file: Path | None
    instance: str
    node: str
    state_dir: Path
    grace_s: float


@dataclass(frozen=True)
class Settings:
    """Everything that the application is told.

    Attributes:
        environment: dev, staging or prod.
        release: the version that runs.
        log_level: the least important level that is logged.
        host: the address to listen on.
        port: the port to listen on.
        workers: processes that serve.
        drain_s: seconds that a stopping worker goes on serving while not ready.
        graceful_s: seconds after these for requests in flight.
        database: PostgreSQL.
        secrets: the file with the keys of the application and of Redis.
        redis_host: Redis's address.
        redis_port: Redis's port.
        consul: the emergency switch.
        audit_dir: the folder of the audit trail's files, from which the node's agent ships them.
    """

    environment: str
    release: str
    log_level: str
    host: str
    port: int
    workers: int
    drain_s: float
    graceful_s: float
    database: DatabaseSettings
    secrets: Path
    redis_host: str
    redis_port: int
    consul: ConsulSettings
    audit_dir: Path


@dataclass(frozen=True)
class Secrets:
    """What Vault's KV store holds for the application.

    Attributes:
        jwt_secret_key: signs the users' tokens.
        redis_username: Redis's ACL user.
        redis_password: its password.
    """

    jwt_secret_key: Secret
    redis_username: str
    redis_password: Secret


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings that the variables describe.

    Args:
        environ: the process's environment.

    Raises:
        ConfigurationError: variables are missing or wrong; every one is named.
    """
    read = Reader(environ)
    host, port = read.address("FLOWREX_LISTEN", "127.0.0.1:8000")
    settings = Settings(
        environment=read.text("FLOWREX_ENVIRONMENT", "dev"),
        release=read.text("FLOWREX_RELEASE", "unreleased"),
        log_level=read.choice("LOG_LEVEL", "info", LOG_LEVELS),
        host=host,
        port=port,
        workers=read.whole("FLOWREX_WORKERS", 2, 1, 64),
        drain_s=read.seconds("FLOWREX_DRAIN_SECONDS", 5, 600),
        graceful_s=read.seconds("FLOWREX_GRACEFUL_SECONDS", 20, 600),
        database=database(read),
        secrets=Path(read.text("FLOWREX_SECRETS")),
        redis_host=read.text("FLOWREX_REDIS_HOST"),
        redis_port=read.whole("FLOWREX_REDIS_PORT", 6379, 1, 65535),
        consul=consul(read),
        audit_dir=Path(read.text("FLOWREX_AUDIT_DIR")),
    )
    read.refuse()
    return settings


def load_database(environ: Mapping[str, str]) -> DatabaseSettings:
    """Return the database's settings alone, for the migrations.

    Args:
        environ: the process's environment.

    Raises:
        ConfigurationError: variables are missing or wrong; every one is named.
    """
    read = Reader(environ)
    settings = database(read)
    read.refuse()
    return settings


def load_secrets(path: Path) -> Secrets:
    """Return what the file of secrets holds.

    Args:
        path: the JSON file that Nomad's template wrote.

    Raises:
        ConfigurationError: it can't be read, is no JSON object or misses a key. The message never
            shows any of its content.
    """
    values = read_secret_object(
        path, ("jwt_secret_key", "redis_username", "redis_password"), "FLOWREX_SECRETS"
    )
    return Secrets(
        jwt_secret_key=Secret(values["jwt_secret_key"]),
        redis_username=values["redis_username"],
        redis_password=Secret(values["redis_password"]),
    )


def read_secret_object(path: Path, keys: tuple[str, ...], variable: str) -> dict[str, str]:
    """Return the named texts of a JSON file, with errors that never quote the file.

    Args:
        path: the file.
        keys: the keys that must be there, each with a text that is not empty.
        variable: the environment variable that named the file, for the message.

    Raises:
        ConfigurationError: the file can't be read or is not as it should be.
    """
    place = f"{path} (from {variable})"
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"can't read {place}: {error.strerror}") from error
    except ValueError:
        # The parser's message, and the exception's own attributes, quote the document.
        raise ConfigurationError(f"{place} is not a JSON document") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{place} is not a JSON object")
    missing = [key for key in keys if not isinstance(document.get(key), str) or not document[key]]
    if missing:
        raise ConfigurationError(f"{place} has no {', '.join(missing)}")
    return {key: document[key] for key in keys}


def database(read: Reader) -> DatabaseSettings:
    """Return PostgreSQL's settings."""
    return DatabaseSettings(
        host=read.text("FLOWREX_DATABASE_HOST"),
        port=read.whole("FLOWREX_DATABASE_PORT", 5432, 1, 65535),
        name=read.text("FLOWREX_DATABASE_NAME", "flowrex"),
        credentials=Path(read.text("FLOWREX_DATABASE_CREDENTIALS")),
        pool_size=read.whole("FLOWREX_DATABASE_POOL_SIZE", 10, 1, 500),
        ssl_mode=read.choice("FLOWREX_DATABASE_SSLMODE", "prefer", _SSL_MODES),
    )


def consul(read: Reader) -> ConsulSettings:
    """Return the emergency switch's settings."""
    address = read.text("FLOWREX_CONSUL_ADDRESS")
    if address and not address.startswith(("http://", "https://")):
        read.problems.append(
            f"FLOWREX_CONSUL_ADDRESS is {address!r}; expected http://HOST:PORT or https://HOST:PORT"
        )
    token_file = read.text("FLOWREX_CONSUL_TOKEN_FILE", "")
    return ConsulSettings(
        address=address,
        token_file=Path(token_file) if token_file else None,
        instance=read.text("FLOWREX_INSTANCE", "local"),
        node=read.text("FLOWREX_NODE", socket.gethostname()),
        state_dir=Path(read.text("FLOWREX_STATE_DIR")),
        grace_s=read.seconds("FLOWREX_EMERGENCY_GRACE_SECONDS", 30, 600),
    )
