"""Which backups may go: a pure decision, with a reason for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from agents.backup.catalog import Backup
from agents.clock import believed

# Clocks of two machines are never quite the same.
_SKEW = timedelta(minutes=5)
# So many pauses before one tell how long they are here.
_USUAL = 7
_TIME = "%Y-%m-%d %H:%M"


@dataclass(frozen=True)
class Policy:
    """How long backups are kept.

    Attributes:
        daily: every backup is kept so long.
        weekly: the last one of each week is kept so long.
        monthly: the last one of each month is kept so long.
        silence: where the newest backup is older than this, either the clock has jumped or nothing
            is backed up any more; nothing is deleted in either case. Nor is anything for so long
            after a pause that is longer than this, and than those before it explain.
    """

    daily: timedelta = timedelta(days=30)
    weekly: timedelta = timedelta(weeks=12)
    monthly: timedelta = timedelta(days=372)
    silence: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class Decision:
    """What becomes of one backup, and why; `doubted` where the time itself is not believed."""

    name: str
    keep: bool
    reason: str
    doubted: bool = False


def decide(
    backups: Sequence[Backup], now: datetime, policy: Policy, *, written: datetime
) -> list[Decision]:
    """Return what becomes of each backup, oldest first.

    Args:
        backups: all there are.
        now: the time, which is not believed where it does not fit the backups and the store.
        policy: how long they are kept.
        written: when the store's newest object was written, by the store's clock.
    """
    ordered = sorted(backups, key=lambda one: (one.at, one.name))
    if not ordered:
        return []
    if doubt := _doubt(ordered, now, written, policy):
        return [Decision(one.name, True, doubt, doubted=True) for one in ordered]
    now = believed(now, written)
    last_good = [one for one in ordered if one.good][-1]
    weekly = _last_of_each(ordered, now - policy.weekly, lambda at: at.strftime("%G week %V"))
    monthly = _last_of_each(ordered, now - policy.monthly, lambda at: at.strftime("%B %Y"))
    return [_of(one, now, policy, one.name == last_good.name, weekly, monthly) for one in ordered]


def _doubt(ordered: Sequence[Backup], now: datetime, written: datetime, policy: Policy) -> str:
    """Return why nothing at all may be deleted, "" where nothing speaks against it."""
    newest = ordered[-1].at
    if newest > now + _SKEW:
        return f"the clock ({now:{_TIME}}) is before the newest backup: nothing is deleted"
    if written > now + _SKEW:
        return (
            f"the clock ({now:{_TIME}}) is before the store's ({written:{_TIME}}): nothing is "
            "deleted"
        )
    if newest > written + _SKEW:
        return (
            f"the newest backup is of {newest:{_TIME}}, and by the store's clock nothing is "
            f"younger than {written:{_TIME}}: a clock is or was wrong; nothing is deleted"
        )
    if now - newest > policy.silence:
        return (
            f"the newest backup is {(now - newest).days} days old: the clock has jumped, or "
            "nothing is backed up any more; nothing is deleted"
        )
    if pause := _pause(ordered, policy.silence):
        return (
            f"one of the last backups came {pause.days} days after the one before it: a clock has "
            f"jumped, or it was so; nothing is deleted for {policy.silence.days} days after it"
        )
    if not any(one.good for one in ordered):
        return "no backup is known to be good: nothing is deleted"
    return ""


def _pause(ordered: Sequence[Backup], silence: timedelta) -> timedelta | None:
    """Return a pause before one of the young backups that those before it don't explain."""
    pauses = [after.at - before.at for before, after in pairwise(ordered)]
    for number, (pause, after) in enumerate(zip(pauses, ordered[1:], strict=True)):
        usual = max(pauses[max(0, number - _USUAL) : number], default=timedelta(0))
        if pause > max(silence, 2 * usual) and ordered[-1].at - after.at <= silence:
            return pause
    return None


def _of(
    one: Backup,
    now: datetime,
    policy: Policy,
    last_good: bool,
    weekly: dict[str, str],
    monthly: dict[str, str],
) -> Decision:
    if one.held:
        return Decision(one.name, True, "it is held")
    if last_good:
        return Decision(one.name, True, "it is the last good one")
    if one.manifest is None:
        # Perhaps a newer agent's; perhaps the only trace of what happened.
        return Decision(one.name, True, "its manifest can't be read: look at it by hand")
    if now - one.at <= policy.daily:
        return Decision(one.name, True, f"it is not older than {policy.daily.days} days")
    for which in (weekly, monthly):
        if one.name in which:
            return Decision(one.name, True, f"it is the last of {which[one.name]}")
    return Decision(one.name, False, f"it is {(now - one.at).days} days old")


def _last_of_each(
    ordered: Sequence[Backup], since: datetime, period: Callable[[datetime], str]
) -> dict[str, str]:
    """Return the last backup of each period, a good one where there is one, by its name."""
    last: dict[str, Backup] = {}
    for one in ordered:
        if one.at < since or one.manifest is None:
            continue
        before = last.get(period(one.at))
        if before is None or one.good or not before.good:
            last[period(one.at)] = one
    return {one.name: which for which, one in last.items()}
