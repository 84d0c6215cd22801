"""Segments as objects in a bucket: created if absent, locked, and looked at afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

from agents.sinks.sink import Occupied, Segment, Stored
from flowrex.audit.segment import CONTENT_TYPE, SUFFIX, from_metadata, prefix
from flowrex.errors import NotFound, PermissionRefused, ServerRefused
from flowrex.s3 import ObjectExists, ObjectHead, S3Client

Lock = Literal["GOVERNANCE", "COMPLIANCE"]


class S3Sink:
    """A bucket.

    Delivered means: the store answered that it has the object, and when asked again it says the
    size and the checksum that were sent. So neither an answer that was never the store's nor an
    object that was cut off counts.
    """

    name = "s3"

    def __init__(
        self,
        client: Callable[[], S3Client],
        bucket: str,
        *,
        retention: Mapping[str, timedelta],
        lock: Lock | None,
        now: Callable[[], datetime],
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            client: returns the store's client, with the credentials of the moment.
            bucket: the bucket.
            retention: by class, how long its objects are locked.
            lock: how; None for a bucket without Object Lock.
            now: tells the time.
            refused: takes note that the credentials were refused.
        """
        self._client = client
        self._bucket = bucket
        self._retention = retention
        self._lock = lock
        self._now = now
        self._refused = refused

    def deliver(self, segment: Segment) -> None:
        """Create the object unless it is there, and make sure that it is."""
        try:
            self._deliver(segment)
        except PermissionRefused:
            self._refused()
            raise

    def _deliver(self, segment: Segment) -> None:
        client, head = self._client(), segment.head
        until = None
        if self._lock is not None:
            until = self._now() + self._retention[head.category]
        try:
            client.put(
                self._bucket,
                head.key,
                segment.body,
                sha256=segment.digest,
                if_absent=True,
                metadata=head.metadata(),
                retain_until=until,
                mode=self._lock or "GOVERNANCE",
                content_type=CONTENT_TYPE,
            )
        except ObjectExists:
            there = client.head(self._bucket, head.key)
            if there is None:
                raise
            raise Occupied(_stored(head.key, there)) from None
        there = client.head(self._bucket, head.key)
        if there is None or (there.size, there.sha256) != (len(segment.body), segment.digest):
            raise ServerRefused(
                f"the S3 store says that it has taken {head.key}, and "
                + ("has no such object" if there is None else "has something else under that name"),
                hint="Something between the agent and the store answers in its place.",
            )

    def find(self, keys: Collection[str]) -> list[Stored]:
        """Return those of some segments that the bucket holds, asking about each."""
        client = self._client()
        heads = ((key, client.head(self._bucket, key)) for key in keys)
        return [_stored(key, there) for key, there in heads if there is not None]

    def ends(self, node: str, gets_on: Callable[[], None]) -> Iterator[Stored]:
        """Yield the last segment of each file of a node, asking the store about it.

        Names are listed in their order, which is that of the bytes in the file.
        """
        client, last = self._client(), ""
        for entry in client.list(self._bucket, prefix(node)):
            gets_on()
            if not entry.key.endswith(SUFFIX):
                continue
            if last and _file(last) != _file(entry.key):
                yield self._known(client, last)
            last = entry.key
        if last:
            yield self._known(client, last)

    def _known(self, client: S3Client, key: str) -> Stored:
        there = client.head(self._bucket, key)
        if there is None:
            raise NotFound(f"{key} was listed and is not there")
        return _stored(key, there)

    def close(self) -> None:
        """Nothing is kept open here: the client belongs to the agent."""


def _file(key: str) -> str:
    return key.rpartition("/")[0]


def _stored(key: str, there: ObjectHead) -> Stored:
    return Stored(from_metadata(key, dict(there.metadata)), there.sha256 or "")
