"""The section `physical`: backups by pgBackRest, with point-in-time recovery."""

from __future__ import annotations

from dataclasses import dataclass

from agents.settings.checks import cron, zone
from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, setting

_NAME = r"[a-z0-9][a-z0-9_-]*"
_FOLDER = r"/.*"


@dataclass(frozen=True, kw_only=True)
class Physical:
    """Physical backups; switched on, on the node that has the primary."""

    enabled: bool = setting("True on the node that has the PostgreSQL primary.")
    stanza: str = setting("pgBackRest's name for the cluster.", pattern=_NAME)
    data_dir: str = setting("PostgreSQL's data folder.", pattern=_FOLDER)
    socket_dir: str = setting("Folder of PostgreSQL's socket.", pattern=_FOLDER)
    port: int = setting("Port in the socket's name.", minimum=1, maximum=65535)
    database: str = setting(
        "Database whose moments are restored; its name confirms a restore.",
        pattern=r"[a-z_][a-z0-9_]*",
    )
    user: str = setting("Role to log in as; peer authentication.", pattern=r"[a-z_][a-z0-9_]*")
    config_file: str = setting(
        "pgbackrest.conf, written by the agent and read by PostgreSQL's user too.",
        pattern=_FOLDER,
    )
    lock_dir: str = setting("Folder that both users may write.", pattern=_FOLDER)
    endpoint: str | None = setting(
        "Address of the store for pgBackRest, https only; null: s3.endpoint.", pattern=r"https://.+"
    )
    ca_file: str | None = setting("Certificates that its own is checked by; null: s3.ca_file.")
    prefix: str = setting("Path of the repository in the backups' bucket.", pattern=r"/[^/].*")
    secret: str = setting("Path, below Vault's KV mount, of the secret that has `passphrase`.")
    processes: int = setting("Processes that compress and send.", minimum=1, maximum=64)
    time_zone: str = setting("Time zone of the schedules, by its IANA name.", check=zone)
    full: str = setting("When a full backup is taken, as a cron expression.", check=cron)
    diff: str = setting("When a differential one is taken.", check=cron)
    check: str = setting("When a segment is sent all the way, as a proof.", check=cron)
    verify: str = setting("When every byte of the repository is read again.", check=cron)
    jitter: Duration = setting("Time by which each start is put off at random, at most.")
    watch_interval: Duration = setting(
        "Time between two looks at PostgreSQL's archiver.", check=some_time
    )
    list_interval: Duration = setting(
        "Time between two looks for gaps in the archive.", check=some_time
    )
    rpo: Duration = setting(
        "Most time of changes that may be lost; beyond it is an alarm.", check=some_time
    )
    retention_days: int = setting("Days for which every moment stays restorable.", minimum=1)
    io_timeout: Duration = setting(
        "Time for which pgBackRest waits for an answer of the store.", check=some_time
    )
    limit: Duration = setting("Time that one backup or one verification may take.", check=some_time)
