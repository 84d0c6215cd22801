"""What the worker is told by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app import settings
from app.environ import Reader
from app.settings import LOG_LEVELS, ConsulSettings, DatabaseSettings


@dataclass(frozen=True)
class WorkerSettings:
    """Everything that the worker is told.

    Attributes:
        environment: dev, staging or prod.
        release: the version that runs.
        log_level: the least important level that is logged.
        host: the address at which it answers for its health and its metrics.
        port: the port, likewise.
        database: PostgreSQL.
        consul: the emergency switch and the workers' lock.
        audit_dir: the folder of the audit trail's files.
    """

    environment: str
    release: str
    log_level: str
    host: str
    port: int
    database: DatabaseSettings
    consul: ConsulSettings
    audit_dir: Path


def load(environ: Mapping[str, str]) -> WorkerSettings:
    """Return the settings that the variables describe.

    Args:
        environ: the process's environment.

    Raises:
        ConfigurationError: variables are missing or wrong; every one is named.
    """
    read = Reader(environ)
    host, port = read.address("FLOWREX_LISTEN", "127.0.0.1:8001")
    loaded = WorkerSettings(
        environment=read.text("FLOWREX_ENVIRONMENT", "dev"),
        release=read.text("FLOWREX_RELEASE", "unreleased"),
        log_level=read.choice("LOG_LEVEL", "info", LOG_LEVELS),
        host=host,
        port=port,
        database=settings.database(read),
        consul=settings.consul(read),
        audit_dir=Path(read.text("FLOWREX_AUDIT_DIR")),
    )
    read.refuse()
    return loaded
