"""Which backup a person means, and from which kind of backups it comes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flowrex.errors import HardStop, UsageError
from generator.restore.progress import Source

Listed = Sequence[Mapping[str, Any]]


def source(
    backups: Listed, to: str | None, *, reaches_moments: bool, wanted: Source | None
) -> Source:
    """Return which kind of backups is the most exact for what a person means.

    Args:
        backups: the logical ones, as the agent lists them.
        to: what the person says; None: the newest backup.
        reaches_moments: whether an agent restores to a moment, from physical backups.
        wanted: what the person insists on.
    """
    if wanted is not None:
        return wanted
    if to is None or not reaches_moments or any(one["name"] == to for one in backups):
        return "logical"
    return "physical"


def is_time(to: str) -> bool:
    """Tell whether a person means a time."""
    return _moment(to) is not None


def choose(backups: Listed, to: str | None) -> str:
    """Return the name of the backup to restore.

    Args:
        backups: as the agent lists them, each with `name`, `at` and `good`.
        to: a name; a time, for the newest good one whose data is not younger; None: the newest
            good one.

    Raises:
        UsageError: there is no such backup.
        HardStop: none is good; one that is not can be named.
    """
    if to is not None and (moment := _moment(to)) is not None:
        until = [one for one in backups if datetime.fromisoformat(str(one["at"])) <= moment]
        if not until:
            raise UsageError(
                f"there is no backup from before {to}", hint="flowrexctl backup list ENV"
            )
        return _newest_good(until)
    if to is not None:
        if not any(one["name"] == to for one in backups):
            raise UsageError(f"there is no backup {to!r}", hint="flowrexctl backup list ENV")
        return to
    if not backups:
        raise UsageError("there is no backup", hint="flowrexctl backup list ENV")
    return _newest_good(backups)


def _newest_good(backups: Listed) -> str:
    good = [one for one in backups if one["good"]]
    if not good:
        raise HardStop(
            "none of these backups was ever read again or restored, so none counts as good",
            hint="Prove one: flowrexctl backup verify ENV NAME. Or name one with --to NAME.",
        )
    return str(max(good, key=lambda one: datetime.fromisoformat(str(one["at"])))["name"])


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
