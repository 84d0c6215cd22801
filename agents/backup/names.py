"""How backups and their objects are named.

    logical/<database>/<name>/<file>              what was dumped, sealed
    logical/<database>/<name>/manifest.json       written last: with it the backup is there
    logical/<database>/<name>/<record>-<time>.json   what was found out later

A name ends with the moment it was begun, in UTC: `scheduled_20260301_021500`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from flowrex.errors import UsageError

MANIFEST = "manifest.json"
# What a backup may be for; the first part of its name.
REASONS = ("scheduled", "manual", "pre_deploy", "emergency")

_NAME = re.compile(r"[a-z][a-z0-9_]*_(\d{8}_\d{6})")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_STAMP = "%Y%m%d_%H%M%S"


def backup_name(reason: str, at: datetime) -> str:
    """Return the name of a backup that is begun now.

    Args:
        reason: one of `REASONS`.
        at: the moment.
    """
    return f"{reason}_{stamp(at)}"


def stamp(at: datetime) -> str:
    """Return a moment as names have it."""
    return at.astimezone(UTC).strftime(_STAMP)


def moment(name: str) -> datetime:
    """Return when the backup of that name was begun.

    Raises:
        UsageError: it is no backup's name.
    """
    found = _NAME.fullmatch(name)
    try:
        if found:
            return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise UsageError(
        f"{name!r} is no name of a backup; expected one like scheduled_20260301_021500",
        hint="`flowrex-agent backup list` shows them.",
    )


def is_backup(name: str) -> bool:
    """Tell whether a backup may have that name."""
    try:
        moment(name)
    except UsageError:
        return False
    return True


def folder(kind: str, database: str, name: str = "") -> str:
    """Return the prefix of a backup's objects, or of all of a database's.

    Args:
        kind: `logical`, or the name of another way to back up.
        database: whose.
        name: which; all of them where empty.
    """
    if not _PART.fullmatch(kind) or not _PART.fullmatch(database):
        raise UsageError(f"{kind}/{database} can't be part of an object's name")
    if name:
        moment(name)
    return f"{kind}/{database}/{name}/" if name else f"{kind}/{database}/"
