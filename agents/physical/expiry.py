"""Whether old backups may go now. What is in doubt stays."""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.physical.info import Repository

# The store's clock, the agent's and PostgreSQL's may differ by so much.
_SKEW = timedelta(minutes=5)
_TIME = "%Y-%m-%d %H:%M"


def refusal(
    repository: Repository,
    *,
    now: datetime,
    store_now: datetime | None,
    verified_at: datetime | None,
    retention_days: int,
) -> str | None:
    """Return why nothing may be deleted now, or None where pgBackRest may expire.

    pgBackRest itself keeps the newest full backup and what is needed for each moment of the
    retention. It believes the clock, its own record and that what is there can be restored; these
    are looked at here.

    Args:
        repository: what there is.
        now: this machine's time.
        store_now: the time by the store's clock, or None where it is not known.
        verified_at: when every byte was last read and found right, or None.
        retention_days: days for which every moment stays restorable.
    """
    if not repository.exists or repository.problem:
        return f"the repository is not in order: {repository.problem}"
    full = repository.newest_full()
    if full is None:
        return "there is no good full backup"
    if held := [backup.label for backup in repository.backups if backup.hold is not None]:
        return f"{', '.join(held)} is held, and pgBackRest can't leave one out"
    if faulty := [backup.label for backup in repository.backups if backup.error]:
        return f"{', '.join(faulty)} was taken from pages with wrong checksums; look first"
    if store_now is None:
        return "the store's clock is not known"
    if abs(now - store_now) > _SKEW:
        return f"this machine's clock says {now:{_TIME}}, the store's {store_now:{_TIME}}"
    if full.stopped > now + _SKEW:
        return f"the backup {full.label} is of the future: a clock is or was wrong"
    if now - full.stopped > timedelta(days=retention_days):
        return f"the newest full backup is from {full.stopped:%Y-%m-%d}: take one first"
    if verified_at is None or verified_at < full.stopped:
        return f"the newest full backup {full.label} is not verified yet"
    return None
