"""The record of a restore beside those of releases: the database is an earlier one since."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

from flowrex import keys
from flowrex.consul import ConsulClient
from flowrex.node_requests import Answer
from generator import release
from generator.lock import Holder
from generator.migrations import Schema
from generator.release import Release
from generator.restore.progress import Progress


def write(consul: ConsulClient, environment: str, now: Progress, answer: Answer) -> str:
    """Record that the database was restored, and which schema it has since.

    Args:
        consul: where the records are.
        environment: whose database.
        now: the restore.
        answer: the agent's, who has put the database into its place.

    Returns:
        The record's id.
    """
    records = release.history(consul, environment)
    loss = answer.result.get("loss")
    told = loss.get("revision_then") if isinstance(loss, dict) else None
    revision = None if told is None else str(told)
    found = schema_at(records, revision)
    moment = datetime.now(UTC)
    record = Release(
        id=f"{moment:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(2)}",
        environment=environment,
        kind="restore",
        version=None,
        outcome="done",
        started=now.at,
        ended=moment.isoformat(timespec="seconds"),
        holder=asdict(Holder.myself(f"restore {environment}")),
        schema=asdict(found) if found else _newest(records),
        restored={
            "backup": now.backup,
            "source": now.source,
            "database": now.database,
            "revision": revision if found else None,
        },
    )
    _put(consul, record)
    return record.id


def migrated(consul: ConsulClient, environment: str, name: str) -> None:
    """Record that the migrations of the deployed version ran after a restore.

    Args:
        consul: where the records are.
        environment: whose database.
        name: the restore's record.
    """
    records = release.history(consul, environment)
    record = next((one for one in records if one.id == name), None)
    if record is None or record.restored is None:
        return
    # What migrates is never taken back, so that it leads as far as any run has come.
    known = [one.known_schema for one in records]
    furthest = max(filter(None, known), key=lambda one: len(one.irreversible), default=None)
    if furthest is None:
        return
    restored = {**record.restored, "revision": furthest.revision}
    _put(consul, replace(record, schema=asdict(furthest), restored=restored))


def schema_at(records: Sequence[Release], revision: str | None) -> Schema | None:
    """Return the schema at a revision, as far as the records know the way to it.

    Args:
        records: of the environment, the newest first.
        revision: the newest migration; empty before the first; None where nobody has told.
    """
    if revision is None:
        return None
    known = (one.known_schema for one in records)
    return next((found for one in known if one and (found := one.at(revision))), None)


def _newest(records: Sequence[Release]) -> dict[str, object] | None:
    return next((dict(one.schema) for one in records if one.schema), None)


def _put(consul: ConsulClient, record: Release) -> None:
    consul.kv_put(keys.release(record.environment, record.id), json.dumps(asdict(record)))
