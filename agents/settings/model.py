"""What the agent's configuration is made of. The field names are the settings' names in YAML.

A setting that says `restart=True` is taken at the start only: a reload that changes one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.settings.audit import Audit
from agents.settings.backup import Backup
from agents.settings.emergency import Emergency, Notify
from agents.settings.physical import Physical
from agents.settings.requests import Requests
from agents.settings.snapshots import Snapshots
from flowrex.settings.declare import Duration, setting

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_URL = r"https?://.+"


@dataclass(frozen=True, kw_only=True)
class Consul:
    """The node's Consul agent."""

    address: str = setting("Address of its API.", pattern=_URL)
    ca_file: str | None = setting("Certificates that its own is checked by; null: the system's.")
    service_ttl: Duration = setting(
        "Time without a word after which Consul calls the service `flowrex-agent` critical."
    )


@dataclass(frozen=True, kw_only=True)
class Vault:
    """Where the agent gets its other credentials from."""

    enabled: bool = setting("False where every credential is a file.")
    address: str = setting("Address of Vault's API.", pattern=_URL)
    ca_file: str | None = setting("Certificates that its own is checked by; null: the system's.")
    login: Literal["approle", "certificate", "jwt"] = setting(
        "How the agent proves who it is; `jwt`: by the identity that Nomad signs for its job."
    )
    login_mount: str = setting("Where that login is mounted.", pattern=_NAME)
    role: str = setting("Name of the role to log in as, where the login names none.", pattern=_NAME)
    kv_mount: str = setting("Mount of the KV version 2 engine.", pattern=_NAME)
    secret: str = setting(
        "Path, below the mount, of the secret that has `consul_token`, `s3_access_key` and "
        "`s3_secret_key`."
    )
    check_interval: Duration = setting("Time between two looks whether the token is still good.")


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """The S3-compatible store."""

    endpoint: str = setting("Address of its API.", pattern=_URL)
    region: str = setting("Region name that requests are signed for.")
    ca_file: str | None = setting("Certificates that its own is checked by; null: the system's.")
    backups_bucket: str = setting("Bucket of the backups.")
    logs_bucket: str = setting("Bucket of the audit log.")


@dataclass(frozen=True, kw_only=True)
class Http:
    """Where health, metrics and status are answered."""

    address: Literal["127.0.0.1", "::1"] = setting(
        "Loopback address that it listens on.", restart=True
    )
    port: int = setting("TCP port.", minimum=1, maximum=65535, restart=True)


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is published in Consul."""

    interval: Duration = setting("Time after which it is published also where nothing changed.")


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """How tasks are started again, and stopped."""

    backoff: Duration = setting("Time before a task that failed is started again the first time.")
    backoff_max: Duration = setting("Most time between two starts; it doubles up to there.")
    stop_within: Duration = setting(
        "Time in which all tasks must have ended; the unit's TimeoutStopSec must be longer."
    )


@dataclass(frozen=True, kw_only=True)
class Agent:
    """The whole configuration of one node's agent."""

    node: str | None = setting(
        "Name of the node; null: the machine's host name.", pattern=_NAME, restart=True
    )
    environment: str = setting("Name of the environment that the node is of.", pattern=_NAME)
    log_level: Literal["debug", "info", "warning", "error"] = setting("Least level that is logged.")
    state_dir: str = setting("Folder of what must outlive a restart.", pattern=r"/.*", restart=True)
    credentials_dir: str = setting(
        "Folder of the credentials' files, one a file. $FLOWREX_AGENT_CREDENTIALS_DIR and then "
        "systemd's $CREDENTIALS_DIRECTORY come first.",
        pattern=r"/.*",
        restart=True,
    )
    consul: Consul = setting("")
    vault: Vault = setting("")
    s3: ObjectStore = setting("")
    http: Http = setting("")
    status: Status = setting("")
    tasks: Tasks = setting("")
    requests: Requests = setting("")
    emergency: Emergency = setting("")
    notify: Notify = setting("")
    audit: Audit = setting("")
    backup: Backup = setting("")
    physical: Physical = setting("")
    snapshots: Snapshots = setting("")
