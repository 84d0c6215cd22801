"""What an environment is made of. The field names are the settings' names in the YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowrex import address
from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, setting
from generator.environment.batch import Migrate, Retention
from generator.environment.entry import Nginx
from generator.environment.monitoring import (
    Alertmanager,
    NginxExporter,
    NodeExporter,
    PostgresExporter,
    Prometheus,
    RedisExporter,
)
from generator.environment.platform import Platform
from generator.environment.preflight import Preflight
from generator.environment.release import SHA256, VERSION, Release
from generator.environment.task import Health, Resources
from generator.environment.telling import Hooks, Notify
from generator.environment.validation import Validation, Watching

_HOST = r"[A-Za-z0-9:._-]+"
_NAME = r"[a-z0-9][a-z0-9_-]*"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The cluster's own servers."""

    nomad: str = setting("Address of Nomad's API.", check=address.check)
    consul: str = setting("Address of Consul's API.", check=address.check)
    vault: str = setting("Address of Vault's API.", check=address.check)


@dataclass(frozen=True, kw_only=True)
class Vault:
    """Where secrets are in Vault."""

    kv_mount: str = setting("Mount of the KV version 2 engine.", pattern=_NAME)
    database_mount: str = setting("Mount of the database engine.", pattern=_NAME)
    jwt_mount: str = setting("Mount of the JWT login for workload identities.", pattern=_NAME)
    pki_mount: str = setting("Mount of the PKI engine.", pattern=_NAME)
    approle_mount: str = setting("Mount of the AppRole login of the nodes' agents.", pattern=_NAME)
    database_ttl: Duration = setting(
        "Lease of a database login before it must be renewed.", check=some_time
    )
    database_max_ttl: Duration = setting(
        "Age at which a database login ends and is replaced.", check=some_time
    )


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """The primary database."""

    host: str = setting("Host name or address.", pattern=_HOST)
    port: int = setting("TCP port.", minimum=1, maximum=65535)
    database: str = setting("Database name.", pattern=r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Redis:
    """The cache."""

    host: str = setting("Host name or address.", pattern=_HOST)
    port: int = setting("TCP port.", minimum=1, maximum=65535)


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """The S3-compatible store."""

    endpoint: str = setting("Address of its API.", check=address.check)
    region: str = setting("Region name that requests are signed for.")
    artifacts_bucket: str = setting("Bucket of the application's artifacts.")
    backups_bucket: str = setting("Bucket of the backups.")
    logs_bucket: str = setting("Bucket of the audit log.")
    exports_bucket: str = setting("Bucket of the data exports.")


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """How a deployment is watched."""

    deadline: Duration = setting(
        "Time after which a deployment that has not ended is a failure.", check=some_time
    )
    backup: bool = setting(
        "True to take and verify a backup before a run changes what uses the database."
    )
    lock_ttl: Duration = setting(
        "Time after which a dead deployer's lock expires (10s to 24h).", check=some_time
    )
    lock_wait: Duration = setting("Time that a verb waits for the lock before it gives up.")


@dataclass(frozen=True, kw_only=True)
class Stop:
    """How an instance leaves without dropping a request."""

    shutdown_delay: Duration = setting(
        "Time between leaving Consul and the stop signal, in which the proxies forget it."
    )
    drain_seconds: int = setting("Seconds it still serves after the stop signal.", minimum=0)
    graceful_seconds: int = setting(
        "Seconds in which requests in flight may finish after that.", minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """How a canary is compared with the stable version before it may be promoted."""

    enabled: bool = setting("True to compare them, through Prometheus.")
    warm_up: Duration = setting(
        "Time after the canary is healthy whose requests don't count: the first are slower."
    )
    interval: Duration = setting(
        "Time between two looks; below Prometheus' scrape_interval it sees nothing new.",
        check=some_time,
    )
    duration: Duration = setting(
        "Time for which it is looked at, once it is warm.", check=some_time
    )
    min_requests: int = setting("Requests to the canary without which nothing is known.", minimum=1)
    max_error_percent: int = setting(
        "How many percent more of its requests may fail than of the stable version's.",
        minimum=0,
        maximum=100,
    )
    max_p95_percent: int = setting(
        "Its 95th percentile in percent of the stable version's, at most.", minimum=100
    )
    p95_floor: Duration = setting("A 95th percentile that is always quick enough.")
    max_restarts: int = setting("How often its tasks may be restarted.", minimum=0)
    queries: Mapping[str, str] = setting(
        "More PromQL, by name: what gives anything speaks against the canary, as an alert does."
    )


@dataclass(frozen=True, kw_only=True)
class Backend:
    """The API: FastAPI in gunicorn."""

    count: int = setting("Instances.", minimum=0)
    canary: int = setting("Instances of a new version that run beside the old.", minimum=0)
    max_parallel: int = setting("Instances replaced at once after promotion.", minimum=1)
    analysis: Analysis = setting("")
    workers: int = setting("gunicorn workers an instance.", minimum=1)
    pool_size: int = setting("Database connections a worker, at most.", minimum=1)
    resources: Resources = setting("")
    health: Health = setting("")
    stop: Stop = setting("")
    env: Mapping[str, str] = setting("More environment variables, by name.")


@dataclass(frozen=True, kw_only=True)
class Frontend:
    """The web pages: Next.js in a process of its own."""

    enabled: bool = setting("True to run it; without it the entry has no pages.")
    count: int = setting("Instances.", minimum=0)
    canary: int = setting("Instances of a new version that run beside the old.", minimum=0)
    max_parallel: int = setting("Instances replaced at once after promotion.", minimum=1)
    checksum: str | None = setting(
        "SHA-256 of its artifact, 64 hexadecimal digits. Where it is null, the manifest that "
        "`flowrexctl build` left in dist/ gives it.",
        pattern=SHA256,
    )
    api: str = setting("Address at which it asks the API, without a path.", check=address.check)
    analysis: Analysis = setting("")
    resources: Resources = setting("")
    health: Health = setting("")
    stop: Stop = setting("")
    env: Mapping[str, str] = setting("More environment variables, by name.")


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Background work: the one that leads acts in an emergency, the others wait to."""

    count: int = setting("Instances.", minimum=0)
    pool_size: int = setting("Database connections an instance, at most.", minimum=1)
    resources: Resources = setting("")
    health: Health = setting("")
    env: Mapping[str, str] = setting("More environment variables, by name.")


@dataclass(frozen=True, kw_only=True)
class Agent:
    """flowrex-agent as a system job, for nodes without systemd."""

    enabled: bool = setting("True to run it; the bootstrap makes its login then.")
    marked_only: bool = setting('True to keep it on nodes whose meta says `agent = "job"`.')
    version: str = setting("Version of the agent.", pattern=VERSION)
    checksum: str | None = setting(
        "SHA-256 of its tarball, 64 hexadecimal digits. Where it is null, the manifest that "
        "`flowrexctl build --agent` left in dist/ gives it.",
        pattern=SHA256,
    )
    user: str = setting("User that it runs as, there on each node.", pattern=r"[a-z_][a-z0-9_-]*")
    consul: str = setting("Address of the node's own Consul agent.", check=address.check)
    allocations_dir: str = setting("Folder of Nomad's allocations on a node.", pattern=r"/.*")
    state_dir: str = setting("Folder of what must outlive an allocation.", pattern=r"/.+")
    port: int = setting(
        "TCP port of its health, metrics and status, on loopback.", minimum=1, maximum=65535
    )
    max_parallel: int = setting("Nodes whose agent is replaced at once.", minimum=1)
    stop_seconds: int = setting(
        "Seconds in which all its tasks must have ended; 5 less than the clients' "
        "`max_kill_timeout`, at most.",
        minimum=1,
    )
    settings: str = setting(
        "More of its configuration, as YAML; see agents/reference.yaml. It is laid over the job's."
    )
    resources: Resources = setting("")
    health: Health = setting("")
    env: Mapping[str, str] = setting("More environment variables, by name.")


@dataclass(frozen=True, kw_only=True)
class Emergency:
    """How the backend and the worker follow the emergency switch."""

    grace_seconds: int = setting(
        "Seconds without a reading of the switch after which new risk is refused.",
        minimum=3,
        maximum=600,
    )


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment, merged and checked."""

    name: str
    release: Release = setting("")
    platform: Platform = setting("")
    servers: Servers = setting("")
    vault: Vault = setting("")
    postgres: Postgres = setting("")
    redis: Redis = setting("")
    s3: ObjectStore = setting("")
    deploy: Deploy = setting("")
    preflight: Preflight = setting("")
    validation: Validation = setting("")
    watching: Watching = setting("")
    hooks: Hooks = setting("")
    notify: Notify = setting("")
    emergency: Emergency = setting("")
    backend: Backend = setting("")
    worker: Worker = setting("")
    frontend: Frontend = setting("")
    nginx: Nginx = setting("")
    migrate: Migrate = setting("")
    retention: Retention = setting("")
    agent: Agent = setting("")
    node_exporter: NodeExporter = setting("")
    postgres_exporter: PostgresExporter = setting("")
    redis_exporter: RedisExporter = setting("")
    nginx_exporter: NginxExporter = setting("")
    alertmanager: Alertmanager = setting("")
    prometheus: Prometheus = setting("")
