"""What a restore takes away from the database that it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agents.backup import source, swap
from agents.backup.contents import State
from agents.backup.fill import Target

_SHOWN_TABLES = 20


@dataclass(frozen=True)
class Loss:
    """What a restore takes away.

    Attributes:
        at: the moment whose data comes back; None where its time is not known.
        then: what is in the database afterwards.
        now: what is in it now.
        bytes_now: size of the database now.
        there: whether there is such a database now.
    """

    at: datetime | None
    then: State
    now: State = field(default_factory=State)
    bytes_now: int = 0
    there: bool = False

    def sentences(self, now: datetime) -> list[str]:
        """Return it as people read it."""
        if not self.there:
            return ["There is no such database now: nothing is lost."]
        lines = [] if self.at is None else [since(self.at, now)]
        rows_now, rows_then = self.now.rows, self.then.rows
        changed = [
            f"  {table}: {_rows(rows_now, table)} now, {_rows(rows_then, table)} afterwards"
            for table in sorted({*rows_now, *rows_then})
            if rows_now.get(table) != rows_then.get(table)
        ]
        lines += changed[:_SHOWN_TABLES]
        if len(changed) > _SHOWN_TABLES:
            lines.append(f"  and {len(changed) - _SHOWN_TABLES} more tables")
        if self.now.revision != self.then.revision:
            lines.append(
                f"  The schema goes from revision {self.now.revision or 'none'} to "
                f"{self.then.revision or 'none'}; migrate afterwards."
            )
        return lines

    def document(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {
            "backup_at": self.at.isoformat() if self.at else None,
            "database_exists": self.there,
            "bytes_now": self.bytes_now,
            "rows_now": dict(self.now.rows),
            "rows_then": dict(self.then.rows),
            "revision_now": self.now.revision,
            "revision_then": self.then.revision,
        }


def since(at: datetime, now: datetime) -> str:
    """Return the sentence that says what is lost where the data of a moment comes back.

    Args:
        at: the moment, in UTC.
        now: the time.
    """
    age = str(now - at).split(".", maxsplit=1)[0]
    moment = f"{at:%Y-%m-%d %H:%M:%S} UTC ({age} ago)"
    return f"Everything written since {moment} is lost from the database."


def loss(at: datetime | None, then: State, target: Target, database: str) -> Loss:
    """Return what a restore takes away.

    Args:
        at: the moment whose data comes back; None where its time is not known.
        then: what is in the database afterwards.
        target: where it goes.
        database: the database in use.
    """
    with target.session(swap.LED_FROM) as session:
        if not swap.exists(session, database):
            return Loss(at, then)
    with target.session(database) as session:
        now = source.facts(session, None)
    return Loss(at, then, now.state, now.bytes, there=True)


def _rows(found: Mapping[str, int], table: str) -> str:
    return f"{found[table]} rows" if table in found else "not there"
