"""What a snapshot can be taken of, and put back into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from flowrex.errors import FlowrexError

Pieces = Iterator[bytes]


class SnapshotBroken(FlowrexError):
    """What came is no whole snapshot."""

    exit_status = 6


@dataclass(frozen=True)
class File:
    """One file of a snapshot.

    Attributes:
        name: what it is.
        read: opens it for reading; what goes wrong, also at the end, is raised.
        check: reads it through, and raises `SnapshotBroken` where it is not whole.
        compress: whether it is worth compressing.
    """

    name: str
    read: Callable[[], AbstractContextManager[Pieces]]
    check: Callable[[Pieces], None]
    compress: bool


class Source(Protocol):
    """One server."""

    @property
    def kind(self) -> str:
        """Its name: `consul`, `vault`, `nomad` or `redis`."""
        ...

    def files(self) -> tuple[File, ...]:
        """Return what its snapshot is made of."""
        ...

    def where(self) -> str:
        """Return which server it is, for the manifest."""
        ...

    def restore(self, read: Callable[[str], Pieces]) -> str:
        """Put a snapshot back, in the place of everything that the server has.

        Args:
            read: gives a file by its name, checked to its end.

        Returns:
            What comes next, in a sentence.
        """
        ...
