"""Who did what to an environment beside deploying, and why: one small record each, in Consul.

Release records tell of deployments; this is for the verbs that no release belongs to: the kill
switch, restores, what the servers are given. A record says `begun` until its verb has ended.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from flowrex import keys
from flowrex.audit import outbox
from flowrex.consul import ConsulClient
from flowrex.errors import ServerUnreachable
from generator.lock import Holder

FORMAT = 1
_KEPT = 1000


@dataclass(frozen=True)
class Record:
    """One change.

    Attributes:
        id: sorts by time.
        environment: of what.
        verb: as it is typed, for example `emergency off`.
        reason: in the words of the person.
        started: when, ISO 8601 in UTC.
        ended: when, or None.
        outcome: `begun`, `done`, or the name of the error.
        holder: the person and the process, as in the lock.
        details: what was changed, by name.
        message: the error's.
    """

    id: str
    environment: str
    verb: str
    reason: str
    started: str
    ended: str | None
    outcome: str
    holder: Mapping[str, object]
    details: Mapping[str, Any] = field(default_factory=dict)
    message: str | None = None
    format: int = FORMAT


def begin(consul: ConsulClient, environment: str, verb: str, reason: str, **details: Any) -> Record:
    """Write the record of a change that is about to be made.

    Raises:
        ServerUnreachable: it is not written.
    """
    moment = datetime.now(UTC)
    record = Record(
        id=f"{moment:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}",
        environment=environment,
        verb=verb,
        reason=reason,
        started=moment.isoformat(timespec="milliseconds"),
        ended=None,
        outcome="begun",
        holder=asdict(Holder.myself(f"{verb} {environment}")),
        details=details,
    )
    _carry(consul, record)
    _write(consul, record)
    return record


def end(
    consul: ConsulClient, record: Record, error: BaseException | None = None, **details: Any
) -> None:
    """Complete a record, and drop the oldest.

    Args:
        consul: where records are.
        record: as it was begun.
        error: what the verb ended with; None for success.
        details: what came of it.
    """
    ended = replace(
        record,
        ended=datetime.now(UTC).isoformat(timespec="milliseconds"),
        outcome="done" if error is None else type(error).__name__,
        message=None if error is None else str(error),
        details={**record.details, **details},
    )
    _carry(consul, ended)
    _write(consul, ended)
    entries = consul.kv_list(keys.changes(record.environment))
    for entry in entries[: max(0, len(entries) - _KEPT)]:
        consul.kv_delete(entry.key)


@contextmanager
def recorded(
    consul: ConsulClient, environment: str, verb: str, reason: str, **details: Any
) -> Iterator[dict[str, Any]]:
    """Keep a record of what a block changes.

    Args:
        consul: where records are.
        environment: of what.
        verb: as it is typed.
        reason: in the words of the person; empty where none was asked for.
        details: what is changed, by name.

    Yields:
        A mapping for what came of it.

    Raises:
        ServerUnreachable: it is not written; before the block, where it can't be begun.
    """
    record = begin(consul, environment, verb, reason, **details)
    came: dict[str, Any] = {}
    try:
        yield came
    except BaseException as error:
        with suppress(ServerUnreachable):  # the record must not hide what happened
            end(consul, record, error, **came)
        raise
    end(consul, record, **came)


def history(consul: ConsulClient, environment: str) -> list[Record]:
    """Return the records of an environment, the newest first; unreadable ones are left out."""
    found = []
    for entry in consul.kv_list(keys.changes(environment)):
        try:
            found.append(Record(**json.loads(entry.value)))
        except (ValueError, TypeError):
            continue  # written by another version of this tool
    return sorted(found, key=lambda one: one.id, reverse=True)


def _carry(consul: ConsulClient, record: Record) -> None:
    """Leave it for the audit trail, which keeps it for good."""
    outbox.leave(
        consul,
        record.environment,
        record.verb,
        record.outcome,
        by=f"{record.holder.get('who')}@{record.holder.get('host')}",
        detail={
            "change": record.id,
            "reason": record.reason,
            "message": record.message,
            "details": json.dumps(dict(record.details), default=str),
        },
    )


def _write(consul: ConsulClient, record: Record) -> None:
    consul.kv_put(keys.change(record.environment, record.id), json.dumps(asdict(record)))
