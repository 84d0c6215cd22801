"""The jobs that watch the platform; docs/monitoring.md. The field names are the settings' names."""

from __future__ import annotations

from dataclasses import dataclass

from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, WrongSetting, setting
from generator.environment.task import Health, Resources

_MAIL = r"[^@\s]+@[^@\s]+"


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What these jobs have in common."""

    enabled: bool = setting("True to run it.")
    program: str = setting("Its program (exec and raw_exec).", pattern=r"/.+")
    image: str = setting("Its image, for containers.", pattern=r"\S+")
    resources: Resources = setting("")
    health: Health = setting("")


@dataclass(frozen=True, kw_only=True)
class NodeExporter(Watching):
    """Processors, memory, disks and network of each node."""

    max_parallel: int = setting("Nodes whose exporter is replaced at once.", minimum=1)


@dataclass(frozen=True, kw_only=True)
class PostgresExporter(Watching):
    """PostgreSQL, looked at with a login that Vault makes for it."""


@dataclass(frozen=True, kw_only=True)
class RedisExporter(Watching):
    """Redis, looked at as a user of its own."""


@dataclass(frozen=True, kw_only=True)
class NginxExporter(Watching):
    """The nginx behind each entry; as many as `nginx.count` says."""


@dataclass(frozen=True, kw_only=True)
class Prometheus(Watching):
    """Gathers all metrics, keeps them, and finds what is wrong."""

    port: int = setting("TCP port, on the node that runs it.", minimum=1, maximum=65535)
    scrape_interval: Duration = setting(
        "Time between two looks at a target, and at the rules.", check=some_time
    )
    retention: str = setting("How long metrics are kept.", pattern=r"[0-9]+[hdwy]")
    retention_size: str = setting(
        "How large they may grow before the oldest go; the write-ahead log needs `disk` too.",
        pattern=r"[0-9]+(MB|GB)",
    )
    disk: int = setting(
        "Disk reserved in the allocation, in MiB; 100 of them are for logs.", minimum=200
    )
    volume: str = setting(
        "Host volume that keeps the metrics (docker and exec). Empty: the allocation's own disk, "
        "which a new version and, where it can be reached, another node take over.",
        pattern=r"[A-Za-z0-9_-]*",
    )


@dataclass(frozen=True, kw_only=True)
class Alertmanager(Watching):
    """Tells people what Prometheus found, once, grouped, and that it is over."""

    port: int = setting("TCP port, on the node that runs it.", minimum=1, maximum=65535)
    disk: int = setting(
        "Disk reserved in the allocation, in MiB; 100 of them are for logs.", minimum=200
    )
    webhook: bool = setting(
        "True to post alerts to the URL that is in Vault: `flowrex/alertmanager`, `webhook_url`."
    )
    email_to: str = setting("Who gets alerts by e-mail, by commas apart; nobody where it is empty.")
    email_from: str = setting("Sender of the e-mail.", pattern=f"({_MAIL})?")
    smtp: str = setting("Mail server, as host:port, with STARTTLS.", pattern=r"(\S+:[0-9]+)?")
    smtp_username: str = setting(
        "Login at it, whose password is in Vault: `flowrex/alertmanager`, `smtp_password`. Empty: "
        "none is asked for."
    )

    def __post_init__(self) -> None:
        if self.email_to and not (self.smtp and self.email_from):
            raise WrongSetting(
                "email_to", "needs alertmanager.smtp and alertmanager.email_from beside it"
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the keys that it reads in Vault."""
        login = bool(self.email_to and self.smtp_username)
        return ("webhook_url",) * self.webhook + ("smtp_password",) * login
