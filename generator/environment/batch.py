"""Settings of the jobs that run to their end: the migrations, and the end of old records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowrex.settings.declare import setting
from generator.environment.task import Resources

_CRON_FIELD = r"[0-9A-Za-z*/,-]+"
_CRON = rf"{_CRON_FIELD}( {_CRON_FIELD}){{4}}"
_TIME_ZONE = r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)*"


@dataclass(frozen=True, kw_only=True)
class Migrate:
    """The batch job that brings the database's schema to this version, before anything else."""

    resources: Resources = setting("")
    env: Mapping[str, str] = setting("More environment variables, by name.")


@dataclass(frozen=True, kw_only=True)
class Retention:
    """The batch job that deletes, on schedule, the records of orders that were kept long enough."""

    enabled: bool = setting("True to run it; the bootstrap makes its login then.")
    schedule: str = setting("When, as a cron expression of five fields.", pattern=_CRON)
    time_zone: str = setting("The schedule's time zone, by its IANA name.", pattern=_TIME_ZONE)
    keep_days: int = setting(
        "Days that a closed order and its fill are kept. The database refuses less than 1827.",
        minimum=1827,
    )
    batch: int = setting("Orders deleted in one transaction.", minimum=1, maximum=10000)
    dry_run: bool = setting("True to count what has expired, and delete nothing.")
    resources: Resources = setting("")
    env: Mapping[str, str] = setting("More environment variables, by name.")
