"""What a text has to be, beyond its form; each raises `ValueError` with what is wrong with it."""

from __future__ import annotations

from flowrex.duration import seconds


def some_time(text: str) -> None:
    """Insist on a length of time that is more than none.

    Args:
        text: as `Duration` has it.

    Raises:
        ValueError: it is zero: what waits so long would not wait at all.
    """
    if seconds(text) <= 0:
        raise ValueError("no time at all; expected more than 0s")
