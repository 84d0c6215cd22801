"""Removes segments whose time is over, or moves them, so that the proof stays whole.

First a record of each goes into the agent's own audit log, and that is shipped; only then is the
object removed. A death between the two leaves a record of an object that is there still, which the
next run removes. Object Lock has the last word: what the store refuses to remove stays.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from agents.audit.due import Due
from flowrex.audit import summary
from flowrex.audit.proof import EXPIRED_KIND, Break, Proof, examine
from flowrex.audit.record import Record
from flowrex.audit.segment import CONTENT_TYPE
from flowrex.errors import PermissionRefused, ServerRefused
from flowrex.s3 import S3Client, WrongChecksum

log = logging.getLogger(__name__)


class Writes(Protocol):
    """Where the agent's own records go."""

    def write(self, record: Record) -> None:
        """Append a record and bring it to the disk."""
        ...


@dataclass(frozen=True)
class Places:
    """Where segments are, and where they are moved to.

    Attributes:
        client: returns the store's client, with the credentials of the moment.
        bucket: the bucket of the audit log.
        archive: the bucket that segments are moved to; None where none is.
    """

    client: Callable[[], S3Client]
    bucket: str
    archive: str | None = None


def told(places: Places, chosen: Sequence[Due], own: Writes, now: datetime) -> list[Due]:
    """Write a record of each segment that may be removed now.

    Args:
        places: where they are.
        chosen: the segments whose time is over.
        own: takes the records.
        now: the time of the records.

    Returns:
        Those that a record was written of. What is locked still is left out, and what is not as
        it was shipped: that is evidence, and nothing true could be told of it.

    Raises:
        FlowrexError: the store can't be asked.
        OSError: a record can't be written.
    """
    client, ready = places.client(), []
    for one in chosen:
        there = client.head(places.bucket, one.key)
        if there is None:
            continue
        if there.retain_until is not None and there.retain_until > now:
            log.info("a segment is locked beyond its class's time", extra={"key": one.key})
            continue
        proof = _read(client, places.bucket, one.key)
        if isinstance(proof, Break):
            log.error(
                "a segment is damaged, and stays", extra={"key": one.key, "error": proof.problem}
            )
            continue
        for detail in summary.told(proof, places.archive if one.move else None):
            own.write(Record(time=now, kind=EXPIRED_KIND, actor="flowrex-agent", detail=detail))
        ready.append(one)
    return ready


def _read(client: S3Client, bucket: str, key: str) -> Proof | Break:
    try:
        with client.stream(bucket, key) as pieces:
            return examine(key, pieces)
    except WrongChecksum as error:
        return Break(key.split("/")[1], 0, key, error.message)


def remove(places: Places, ready: Sequence[Due]) -> int:
    """Remove segments that a shipped record tells of, or move them.

    Args:
        places: where they are.
        ready: the segments.

    Returns:
        How many are gone.

    Raises:
        FlowrexError: the store does not answer, or a copy is not what was to be moved.
    """
    client, gone = places.client(), 0
    for one in ready:
        if one.move:
            assert places.archive is not None
            _copy(client, places.bucket, places.archive, one.key)
        try:
            for version in list(client.versions(places.bucket, one.key)):
                client.delete(places.bucket, version.key, version.version_id)
        except PermissionRefused as error:
            log.warning("a segment stays", extra={"key": one.key, "error": error.message})
            continue
        gone += 1
    return gone


def _copy(client: S3Client, bucket: str, archive: str, key: str) -> None:
    there = client.head(bucket, key)
    if there is None:
        return  # it was moved before the last run died
    body = client.get(bucket, key)
    metadata = {name: value for name, value in there.metadata.items() if name != "sha256"}
    client.put(
        archive,
        key,
        body,
        sha256=there.sha256 or "",
        if_absent=True,
        metadata=metadata,
        content_type=CONTENT_TYPE,
    )
    copy = client.head(archive, key)
    if copy is None or replace(copy, version_id=None).sha256 != there.sha256:
        raise ServerRefused(f"{key} was moved to {archive}, and is not there as it was")
