"""From the agent's surroundings to the work on backups."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from agents.backup.catalog import Catalog, Retention
from agents.backup.datakey import TransitKeys
from agents.backup.login import Logins
from agents.backup.work import Backups
from agents.context import Context
from agents.settings.backup import Backup as Settings


def backups_of(context: Context) -> Backups:
    """Return what the agent's surroundings make of it."""
    whole, settings = context.settings, context.settings.backup
    kept = settings.retention
    state = context.state("backup")

    def until() -> datetime | None:
        days = kept.lock_days
        return context.clock.now() + timedelta(days=days) if days else None

    return Backups(
        settings=settings,
        environment=whole.environment,
        node=context.node,
        consul=context.consul,
        catalog=Catalog(
            context.s3,
            whole.s3.backups_bucket,
            settings.postgres.database,
            retention=Retention(until, kept.lock_mode),
        ),
        keys=TransitKeys(context.vault, settings.transit_mount, settings.transit_key),
        logins=Logins(context.vault, settings.postgres, state),
        scratch=scratch_folder(settings, state),
        now=context.clock.now,
    )


def scratch_folder(settings: Settings, state: Path) -> Path:
    """Return below which folder scratch servers have their data.

    Args:
        settings: the section `backup`.
        state: the capability's own folder.
    """
    if settings.scratch_dir:
        return Path(settings.scratch_dir)
    # PostgreSQL does not run as root, and another user can't look into the agent's folder.
    return Path("/var/tmp/flowrex-drills") if os.geteuid() == 0 else state / "drills"  # noqa: S108
