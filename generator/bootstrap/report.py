"""What a bootstrap found and did, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a step ended."""

    PRESENT = "present"
    CREATED = "created"
    UPDATED = "updated"
    MISSING = "missing"
    DIFFERS = "differs"
    # It could not be asked, and nothing else here depends on it.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Step:
    """One thing that has to be there.

    Attributes:
        name: server and thing, for example `vault policy flowrex-backend`.
        state: how it ended.
        detail: what differs or what to do about it; never a secret.
    """

    name: str
    state: State
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """Every step in the order in which it was taken."""

    steps: tuple[Step, ...]

    @property
    def complete(self) -> bool:
        """Tell whether everything is there as it should be."""
        return not self.lacking

    @property
    def lacking(self) -> tuple[Step, ...]:
        """Return the steps that are missing or differ."""
        return tuple(s for s in self.steps if s.state in (State.MISSING, State.DIFFERS))

    @property
    def unknown(self) -> tuple[Step, ...]:
        """Return the steps of which nothing is known."""
        return tuple(s for s in self.steps if s.state is State.UNKNOWN)

    @property
    def changed(self) -> tuple[Step, ...]:
        """Return the steps that changed something."""
        return tuple(s for s in self.steps if s.state in (State.CREATED, State.UPDATED))

    def __add__(self, other: Report) -> Report:
        return Report(self.steps + other.steps)

    def as_document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "complete": self.complete,
            "changed": len(self.changed),
            "steps": [
                {"name": s.name, "state": s.state.value, "detail": s.detail} for s in self.steps
            ],
        }


def report(steps: Iterable[Step]) -> Report:
    """Take the steps, in order, and return their report."""
    return Report(tuple(steps))
