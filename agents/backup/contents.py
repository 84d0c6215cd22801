"""What is in a database, as far as a restore is compared by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class State:
    """What tells two states of a database apart.

    Attributes:
        rows: how many rows each table has.
        revision: the migrations' revision.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    revision: str = ""
