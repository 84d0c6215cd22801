"""Which segments' time is over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from agents.clock import believed
from agents.settings.audit import Retention
from flowrex.s3 import ObjectEntry


@dataclass(frozen=True)
class Due:
    """A segment whose time is over.

    Attributes:
        key: its name.
        category: its class.
        size: its bytes.
        modified: when it was put, by the store's clock.
        move: whether it is moved to the archive, and not only removed.
    """

    key: str
    category: str
    size: int
    modified: datetime
    move: bool


def horizon(entries: Iterable[ObjectEntry], now: datetime) -> datetime:
    """Return until when time has passed for sure.

    The node's clock alone removes nothing: no more time has passed than the newest object of the
    node shows, by the store's clock, and a day.

    Args:
        entries: the node's segments.
        now: the time by the node's clock.
    """
    newest = max((entry.modified for entry in entries), default=now)
    return believed(now, newest)


def due(
    entries: Iterable[ObjectEntry], rules: Mapping[str, Retention], until: datetime
) -> Iterator[Due]:
    """Yield the segments whose time is over. A class without a rule is kept.

    Args:
        entries: the node's segments.
        rules: by class, how long it is kept.
        until: as `horizon` returns it.
    """
    for entry in entries:
        category = entry.key.split("/")[2]
        rule = rules.get(category)
        if rule is not None and entry.modified + rule.keep < until:
            yield Due(entry.key, category, entry.size, entry.modified, rule.move)
