"""How a release ended, with what came after it."""

from __future__ import annotations

from collections.abc import Sequence

from generator.lock import Holder
from generator.release import Release

_COMPLETED = {"promote": "promoted", "fail": "given up"}


def outcome(record: Release, records: Sequence[Release], holder: Holder | None) -> str:
    """Return a word or two for how a release ended.

    A run that left a canary was completed by a promotion, or given up. One that says `running` is
    of a process that died, unless it holds the lock.

    Args:
        record: the release.
        records: all of its environment.
        holder: who holds the environment's lock now.
    """
    if record.outcome == "canary":
        ends = (one for one in records if one.completes == record.id and one.outcome == "done")
        return next((_COMPLETED[one.kind] for one in ends if one.kind in _COMPLETED), "canary")
    if record.outcome == "running" and not _is(record, holder):
        return "died"
    return record.outcome


def _is(record: Release, holder: Holder | None) -> bool:
    same = holder is not None and (record.holder.get("pid"), record.holder.get("host"))
    return holder is not None and same == (holder.pid, holder.host)
