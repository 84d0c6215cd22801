"""What a text has to be, beyond its form; each raises `ValueError` with what is wrong with it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError


def cron(text: str) -> None:
    """Insist on a cron expression that comes due some day.

    Args:
        text: five fields.

    Raises:
        ValueError: it is none.
    """
    try:
        next(CronSim(text, datetime(2026, 1, 1)))
    except (CronSimError, StopIteration) as error:
        why = str(error) or "there is no such day"
        raise ValueError(
            f"no cron expression that ever comes due: {why}; expected minute, hour, day, month "
            "and weekday, as `15 2 * * *` for 02:15"
        ) from error


def zone(text: str) -> None:
    """Insist on a time zone that this machine knows.

    Args:
        text: its IANA name.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no time zone; expected one like Europe/Berlin or UTC") from error
