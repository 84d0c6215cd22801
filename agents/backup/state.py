"""How good the backups in a list are, for those who read it in Consul."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agents.backup.catalog import Backup, Listing
from agents.backup.records import Record, verified
from flowrex.backup_state import BackupState


def state_of(
    listing: Listing, database: str, node: str, now: datetime, problem: str = ""
) -> BackupState:
    """Return how good the backups in a list are."""
    newest = listing.backups[-1] if listing.backups else None
    good = next((one for one in reversed(listing.backups) if one.good), None)
    looked = verified(good.records) if good else None
    drilled, drill = _last_drill(listing.backups)
    return BackupState(
        database=database,
        node=node,
        at=now.isoformat(),
        count=len(listing.backups),
        newest=newest.name if newest else "",
        newest_at=newest.at.isoformat() if newest else "",
        good=good.name if good else "",
        good_at=good.at.isoformat() if good else "",
        verified_at=looked.at.isoformat() if looked else "",
        drilled=drilled,
        drilled_at=drill.at.isoformat() if drill else "",
        drill_good=drill.good if drill else False,
        problem=problem,
    )


def _last_drill(backups: Sequence[Backup]) -> tuple[str, Record | None]:
    found = [
        (one.name, record) for one in backups for record in one.records if record.kind == "drilled"
    ]
    return max(found, key=lambda pair: pair[1].at, default=("", None))
