"""A moment as people type it: a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from flowrex.duration import seconds
from flowrex.errors import UsageError

_DAYS = re.compile(r"(\d{1,5})d")


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that a text means.

    Args:
        text: `2026-03-01`, `2026-03-01T12:00:00Z`, or an age: `24h`, `7d`.
        now: what an age is counted from.

    Raises:
        UsageError: it is neither.
    """
    if days := _DAYS.fullmatch(text):
        return now - timedelta(days=int(days[1]))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - timedelta(seconds=seconds(text))
        except UsageError:
            raise UsageError(
                f"{text!r} is no moment",
                hint="Write a time, 2026-03-01T12:00:00Z, or an age, 24h or 7d.",
            ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
