"""Which segments there are, and reading several of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from flowrex.audit.segment import PREFIX, SUFFIX
from flowrex.s3 import ObjectEntry

T = TypeVar("T")

_READERS = 4


class Store(Protocol):
    """What is needed of an object store."""

    def list(self, bucket: str, prefix: str = "") -> Iterator[ObjectEntry]:
        """Yield the objects whose names begin so."""
        ...

    def stream(
        self, bucket: str, key: str, *, chunk: int = 1 << 20
    ) -> AbstractContextManager[Iterator[bytes]]:
        """Give an object's content in pieces."""
        ...


@dataclass(frozen=True)
class Trail:
    """The trail of an environment.

    Attributes:
        store: the object store.
        bucket: the bucket.
    """

    store: Store
    bucket: str

    def segments(
        self, *, since: datetime | None = None, nodes: Sequence[str] = ()
    ) -> list[ObjectEntry]:
        """Return the segments, those of one file in their order.

        Args:
            since: leave out what was put before: all in it is older.
            nodes: of these nodes only; of all where there are none.
        """
        prefixes = [f"{PREFIX}{node}/" for node in nodes] or [PREFIX]
        return [
            entry
            for prefix in prefixes
            for entry in self.store.list(self.bucket, prefix)
            if entry.key.endswith(SUFFIX) and (since is None or entry.modified >= since)
        ]

    def each(
        self, entries: Sequence[ObjectEntry], read: Callable[[str, Iterator[bytes]], T]
    ) -> Iterator[T]:
        """Yield what `read` makes of each segment, several being read at once.

        Args:
            entries: the segments.
            read: is given the name and the bytes in pieces.
        """

        def one(entry: ObjectEntry) -> T:
            with self.store.stream(self.bucket, entry.key) as pieces:
                return read(entry.key, pieces)

        with ThreadPoolExecutor(_READERS, "audit-read") as readers:
            try:
                # In portions, so that what is read does not run ahead of what is used.
                for at in range(0, len(entries), _READERS * 4):
                    yield from readers.map(one, entries[at : at + _READERS * 4])
            finally:
                readers.shutdown(cancel_futures=True)
