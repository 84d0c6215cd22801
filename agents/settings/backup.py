"""The section `backup`: logical backups of the platform's database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agents.settings.checks import cron, zone
from flowrex.settings.checks import some_time
from flowrex.settings.declare import Duration, setting

_NAME = r"[a-z_][a-z0-9_]*"
_MOUNT = r"[A-Za-z0-9][A-Za-z0-9._/-]*"
_FOLDER = r"/.*"


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """The database."""

    servers: tuple[str, ...] = setting(
        "Every server that has it, as host:port. A replica that is not far behind comes first."
    )
    database: str = setting("Name of the database.", pattern=_NAME)
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = setting(
        "As libpq has it."
    )
    ca_file: str | None = setting("Certificates that the servers' are checked by.")
    bin_dir: str | None = setting(
        "Folder of pg_dump, psql and initdb; null: Debian's newest, or those on PATH.",
        pattern=_FOLDER,
    )
    login_mount: str = setting(
        "Mount of Vault's database engine, whose role `backup` reads and `restore` restores.",
        pattern=_MOUNT,
    )
    max_lag: Duration = setting("A replica that is further behind is not dumped.")
    lock_timeout: Duration = setting(
        "Time to wait for a table that a migration holds, before the dump is given up."
    )


@dataclass(frozen=True, kw_only=True)
class Schedules:
    """When things are done: five fields, as cron has them, in `zone`."""

    zone: str = setting("Time zone of all of them.", check=zone)
    jitter: Duration = setting("Most time by which a run is late, so that nodes do not meet.")
    backup: str = setting("A backup.", check=cron)
    drill: str = setting("A restore of the newest backup into a scratch server.", check=cron)
    prune: str = setting("The deletion of what retention lets go.", check=cron)


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long backups are kept. The last good one and held ones are never deleted."""

    daily_days: int = setting("Days for which every backup is kept.", minimum=1, maximum=3660)
    weekly_weeks: int = setting(
        "Weeks for which the last one of a week is kept.", minimum=0, maximum=520
    )
    monthly_months: int = setting(
        "Months for which the last one of a month is kept.", minimum=0, maximum=240
    )
    lock_days: int = setting(
        "Days for which the store itself refuses to delete; 0: the bucket's own default.",
        minimum=0,
        maximum=3660,
    )
    lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = setting("Who may delete in spite of it.")
    local_dir: str | None = setting(
        "Folder that the newest ones are kept in as well, sealed as in the store.",
        pattern=_FOLDER,
    )
    local_keep: int = setting("How many of them.", minimum=1, maximum=1000)


@dataclass(frozen=True, kw_only=True)
class Backup:
    """Logical backups."""

    enabled: bool = setting("Whether this node makes any.")
    transit_mount: str = setting("Mount of Vault's transit engine.", pattern=_MOUNT)
    transit_key: str = setting("Name of the key there that wraps data keys.", pattern=_MOUNT)
    tables: tuple[str, ...] | None = setting(
        "Tables, as schema.table, whose rows are counted and compared after a restore; null: all."
    )
    scratch_dir: str | None = setting(
        "Folder that drills and restores to a moment recover into; null: below the state folder.",
        pattern=_FOLDER,
    )
    drill_limit: Duration = setting(
        "Time after which a drill is given up, and has failed.", check=some_time
    )
    postgres: Postgres = setting("")
    schedule: Schedules = setting("")
    retention: Retention = setting("")
