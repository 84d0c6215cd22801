"""What every sink is: something that takes a segment and says when it has it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from flowrex.audit.segment import Head, Opened
from flowrex.errors import FlowrexError


@dataclass(frozen=True)
class Segment:
    """One object, ready to be delivered.

    Attributes:
        head: what it says of itself.
        body: the whole object.
        digest: its SHA-256.
    """

    head: Head
    body: bytes
    digest: str

    def lines(self) -> Iterator[bytes]:
        """Yield its JSON lines, newlines included."""
        return Opened([self.body]).lines()


@dataclass(frozen=True)
class Stored:
    """A segment that a sink has: what its head says, without the path, and its SHA-256."""

    head: Head
    digest: str


class Occupied(FlowrexError):
    """Another segment begins at the same byte of the same file already."""

    exit_status = 6

    def __init__(self, stored: Stored) -> None:
        """Keep what is there.

        Args:
            stored: the other segment.
        """
        super().__init__(f"{stored.head.key} is there already, with other content")
        self.stored = stored


class Sink(Protocol):
    """A place that audit segments are delivered to.

    Attributes:
        name: unique, lower case; its cursor and its spool are in a folder of that name.
    """

    name: str

    def deliver(self, segment: Segment) -> None:
        """Deliver a segment; returning means that the other side has it, for good.

        It may be called again with the same segment when nobody knows how the call before ended.

        Raises:
            Occupied: another segment begins there; nothing was changed.
            FlowrexError: it could not be delivered, or nobody knows; it will be tried again.
        """
        ...

    def find(self, keys: Collection[str]) -> list[Stored] | None:
        """Return those of some segments that it holds; None where it can't tell.

        Args:
            keys: their names.

        Raises:
            FlowrexError: it can't be asked.
        """
        ...

    def ends(self, node: str, gets_on: Callable[[], None]) -> Iterator[Stored]:
        """Yield the last segment of each file of a node that it holds; none where it can't tell.

        Args:
            node: the node.
            gets_on: is called now and then, since this may take long.

        Raises:
            FlowrexError: it can't be asked.
        """
        ...

    def close(self) -> None:
        """Give connections up."""
        ...
